"""What `ser doctor` finds of the corpora of `cross_corpus`: whether its stages will accept them.

Labels and file names are read, recordings are not opened: a recording that is in two corpora is
found by the stage.
"""

from collections.abc import Iterator
from pathlib import Path

from ser.data import preparation
from ser.data.corpora._base import CorpusParams
from ser.errors import NotTheCorpusError, SerError
from ser.project import Project
from ser.workflow import corpus_diagnosis, targets_diagnosis
from ser.workflow.finding import Finding
from ser.workflow.preset import Preset

_WHAT = "other corpora"


def examine(root: Path, preset: Preset) -> Iterator[Finding]:
    """Look at data/raw/<name> of every corpus of the section, as far as labels go.

    Args:
        root: The project's root.
        preset: The whole of params.yaml.

    Yields:
        One finding per corpus.
    """
    for name, params in preset.cross_corpus.corpora.items():
        yield _finding(name, params, Project(root).raw(name), preset)


def _finding(name: str, params: CorpusParams, folder: Path, preset: Preset) -> Finding:
    shown, cure, wanted = f"data/raw/{name}", _cure(name, params), preset.corpus.emotions
    if not folder.is_dir():
        return Finding("fail", _WHAT, f"{shown} is not there", cure)
    try:
        parsed = corpus_diagnosis.parse_corpus(params.name, folder, _said(params))
        chosen = preparation.with_classes(params, wanted, recordings=folder)
    except NotTheCorpusError as error:
        return Finding("fail", _WHAT, f"{shown}: {error}", cure)
    except SerError as error:
        return Finding("fail", _WHAT, f"{shown}: {error}", "see the message")
    shared = [emotion for emotion in wanted if emotion in chosen.emotions]
    if len(shared) < 2:
        detail = f"{shown}: of {', '.join(wanted)} it has {', '.join(shared) or 'none'}"
        return Finding("fail", _WHAT, detail, "set `emotions` of either, two must be the same")
    learnt = [item for item in parsed.annotations if item.emotion in shared]
    if faults := list(targets_diagnosis.unrated(name, learnt, _targets(preset))):
        return Finding("fail", _WHAT, "; ".join(faults), "see the message")
    detail = f"{shown}: {len(parsed.annotations)} utterances, classes {', '.join(shared)}"
    return Finding("ok", _WHAT, detail)


def _targets(preset: Preset) -> dict[str, str]:
    """Return loss -> its `targets`, of the losses of the cells that learn another corpus."""
    losses = {cell.loss for cell in preset.cross_corpus.cells.values()}
    said = {loss: getattr(preset.losses[loss], "targets", None) for loss in sorted(losses)}
    return {loss: targets for loss, targets in said.items() if targets is not None}


def _said(params: CorpusParams) -> dict[str, object]:
    """Return what was written of a corpus."""
    return params.model_dump(exclude_unset=True) | {"name": params.name}


def _cure(name: str, params: CorpusParams) -> str:
    if params.name == "demo":
        return f"`ser demo-corpus data/raw/{name}` writes it"
    if params.name == name:
        return f"`ser link-corpus {name} /where/it/is`"
    return f"let data/raw/{name} be a link to its folder"
