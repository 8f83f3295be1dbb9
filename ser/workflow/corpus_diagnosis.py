"""What `ser doctor` finds of the corpus: whether the stages prepare and split will accept it.

Labels and file names are read, recordings are not opened. What is asked of them is asked by the
stages' own functions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ser import components
from ser.contracts import Corpus
from ser.data import classes, fold_lists, intake, leakage, speech_kind, splits
from ser.data.corpora._base import CorpusParams
from ser.data.downloads import sources
from ser.data.protocols import SplitParams
from ser.data.speech_kind import studied_emotion
from ser.errors import NotTheCorpusError, SerError
from ser.params import params_class_of, parse
from ser.project import Project
from ser.utterance import Annotation, Parsed, Rejection, Utterance, used_of
from ser.workflow import targets_diagnosis
from ser.workflow.finding import Finding

_LINK, _FOLDS = "corpus link", "folds"
_SEE = "see the message"


def examine(root: Path, content: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at data/raw/<corpus>, as far as its labels and file names go.

    Args:
        root: The project's root.
        content: params.yaml, which is valid.
    """
    section = content.get("corpus")
    name = section.get("name") if isinstance(section, Mapping) else None
    if not isinstance(name, str):
        yield Finding("fail", _LINK, "params.yaml names no corpus", "set corpus.name")
        return
    link, shown = Project(root).raw(name), f"data/raw/{name}"
    cure = _how_to_link(root, name)
    if link.is_symlink() and not link.exists():
        yield Finding("fail", _LINK, f"{shown} points to {link.readlink()}, which is gone", cure)
    elif link.exists():
        yield from _examine_labels(link, shown, name, content, cure)
    elif name in (content.get("synthetic_corpora") or ()):
        yield Finding("ok", _LINK, f"{shown} is not there yet; `dvc repro` makes it")
    else:
        yield Finding("fail", _LINK, f"{shown} is not there", cure)


def _how_to_link(root: Path, name: str) -> str:
    shipped = Project().shipped(name).folder
    if (root / shipped).is_dir():
        return f"`ser link-corpus {name} {shipped}`"
    download = f", or `ser download-corpus {name}`" if name in sources.ARCHIVES else ""
    return f"`ser link-corpus {name} /where/it/is`{download}"


def _examine_labels(
    link: Path, shown: str, name: str, content: Mapping[str, Any], cure: str
) -> Iterator[Finding]:
    """Ask what prepare and split will ask of the labels."""
    try:
        parsed = parse_corpus(name, link, content["corpus"])
    except NotTheCorpusError as error:
        yield Finding("fail", _LINK, f"{shown}: {error}", cure)
        return
    except SerError as error:
        yield Finding("fail", _LINK, f"{shown}: {error}", _SEE)
        return
    corpus, params = _corpus(name, content["corpus"])
    usable, rejections = intake.sort_out(parsed)
    if too_many := _refused(rejections, params):
        yield Finding("fail", _LINK, f"{shown}: {too_many}", _SEE)
        return
    unique = _studied(usable, params)
    try:
        # Labels are all that it counts.
        corpus.check(cast(list[Utterance], unique))
        speech_kind.require_known(unique, params.speech, corpus=name)
        classes.require_each(params.emotions, unique, corpus=name)
    except SerError as error:
        yield Finding("fail", _LINK, f"{shown}: {error}", _SEE)
        return
    yield Finding("ok", _LINK, f"{shown}: {len(parsed.annotations)} utterances")
    if name == "csv" and params.parser_name == "csv":
        yield Finding(
            "warn",
            "corpus name",
            "the table has no name of its own, and shares data/raw/csv, experiments and models "
            "with every other table without one",
            "in params.yaml: `name: <your name>` and `parser: csv` below corpus; then "
            "`ser link-corpus <your name> <its folder>`",
        )
    yield from _targets(name, unique, parsed, content)
    yield _folds(unique, content.get("split") or {})


def _targets(
    name: str, annotations: list[Annotation], parsed: Parsed, content: Mapping[str, Any]
) -> Iterator[Finding]:
    """Ask what training will ask of ratings and votes."""
    losses = {cell["loss"] for cell in (content.get("cells") or {}).values()}
    targets_of = {
        loss: params["targets"]
        for loss, params in (content.get("losses") or {}).items()
        if loss in losses and "targets" in (params or {})
    }
    used = used_of(annotations)
    faults = list(targets_diagnosis.unrated(name, used, targets_of))
    if (content.get("training") or {}).get("targets") == "soft":
        emotions = {item.emotion: None for item in used if item.emotion}
        fault = targets_diagnosis.without_votes(name, used, list(emotions), parsed.vote_emotions)
        faults += [fault] if fault else []
    for fault in faults:
        yield Finding("fail", "targets", fault, _SEE)


def _folds(annotations: list[Annotation], section: Mapping[str, Any]) -> Finding:
    try:
        params = parse(section, SplitParams, where="split")
        folds = splits.split(annotations, params)
        leakage.require_apart(folds, annotations, params.protocol, params.may_share)
    except SerError as error:
        return Finding("fail", _FOLDS, str(error), _SEE)
    return Finding("ok", _FOLDS, f"protocol {params.protocol}: {len(folds)}")


def parse_corpus(name: str, root: Path, section: object = None) -> Parsed:
    """Return what a corpus' labels and file names say.

    Args:
        name: The corpus; where its section says no parser, the parser's name.
        root: A folder that should hold the corpus.
        section: Its section of params.yaml, or None for the parser's defaults.

    Raises:
        UnknownComponentError: There is no such parser; the message lists them all.
        CorpusError: The folder is not that corpus.
        ParamsError: The section is wrong.
    """
    corpus, params = _corpus(name, section)
    return fold_lists.parse(corpus, root, params.fold_lists)


def _corpus(name: str, section: object) -> tuple[Corpus, CorpusParams]:
    """Return a corpus' parser and its params."""
    content = section if isinstance(section, Mapping) else {"name": name}
    parser = str(content.get("parser") or content.get("name") or name)
    params_class = cast(type[CorpusParams], params_class_of(components.CORPORA, parser))
    params = parse(content, params_class, where=f"corpus {name}")
    corpus: Corpus = components.load(components.CORPORA, parser).build(params)
    return corpus, params


def _refused(rejections: list[Rejection], params: CorpusParams) -> str | None:
    """Return that more labels and files cannot be used than may be, or None."""
    count = len(rejections)
    if count <= params.max_rejected:
        return None
    return (
        f"{count} recordings or labels will be refused, corpus.max_rejected allows "
        f"{params.max_rejected}; the first: {rejections[0].reason}"
    )


def _studied(usable: list[Annotation], params: CorpusParams) -> list[Annotation]:
    """Return what prepare would write of the labels: those of the study's emotions alone."""
    return [
        replace(item, emotion=studied_emotion(item, emotions=params.emotions, speech=params.speech))
        for item in usable
    ]
