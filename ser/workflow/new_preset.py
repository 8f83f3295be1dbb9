"""A new preset, put together from the entries of those that are there."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml
from pydantic import ValidationError

from ser import components, files
from ser.components import CORPORA, EXTRACTORS, LOSSES, MODELS
from ser.errors import FileError, ParamsError
from ser.params import params_class_of, parse, tunables
from ser.project import Project
from ser.workflow import needs_diagnosis, preset_head
from ser.workflow.preset import Preset
from ser.workflow.preset_head import PresetHead
from ser.workflow.preset_text import PresetText

#: Presets whose entries are copied, in the order in which they are asked for one. First the one
#: whose settings were chosen for their scores: those of the preset emodb were for speed, too.
SOURCES = ("emodb-7", "iemocap", "demo")

#: Stands in the head of every preset that was written here.
SIGNATURE = "Written by `ser new-preset`."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new preset shall compare.

    Args:
        name: Of the preset.
        corpus: Name of its parser.
        models: Each is trained with each loss.
        losses: See there.
        tuned: Cells, `<model>-<loss>`, whose loss is tuned.
        seeds: Of training; none: those of the first of `SOURCES`.
    """

    name: str
    corpus: str
    models: Sequence[str]
    losses: Sequence[str]
    tuned: Sequence[str] = ()
    seeds: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _ModelSource:
    """Where a model's entries come from.

    Args:
        model: The model, or a further entry of it.
        entry: Whose entries are copied for it: its own, or those of the model itself.
        feature: What it reads.
        text: The preset that has it; None: no preset has, and defaults are written.
    """

    model: str
    entry: str
    feature: str
    text: PresetText | None

    def lines(self, section: str) -> str:
        """Return the model's entry of a section."""
        lines = _entry(self.text, section, self.entry)
        return re.sub(rf"^  {self.entry}:", f"  {self.model}:", lines, count=1, flags=re.M)


def write(wanted: Wanted, path: Path, *, force: bool = False, project: Project) -> Preset:
    """Write a preset and return what it says.

    Args:
        wanted: What it shall compare.
        path: The file.
        force: Replace one that is there.
        project: Whose presets the entries are taken from.

    Raises:
        UnknownComponentError: There is no such corpus, model or loss.
        ParamsError: A tuned cell is none of the preset's, a model's checkpoint has to be named,
            or the params are not valid.
        FileError: The file is there already, or is one of `SOURCES`.
    """
    _require_place(path, project, force=force)
    text = compose(wanted, project)
    preset = parse(yaml.safe_load(text), Preset, where=str(path))
    files.write_text(path, text)
    return preset


def compose(wanted: Wanted, project: Project) -> str:
    """Return the text of a preset, head included; see `write`."""
    _require_components(wanted)
    texts = [PresetText(project.presets / f"{name}.yaml") for name in SOURCES]
    models = [_source(model, texts) for model in dict.fromkeys(wanted.models)]
    body = "\n\n".join(_sections(wanted, models, texts)) + "\n"
    preset = parse(yaml.safe_load(body), Preset, where=wanted.name)
    return f"{_head(wanted, preset, models)}\n{body}"


def _require_place(path: Path, project: Project, *, force: bool) -> None:
    """Refuse a file that is there, and for good one that entries are taken from."""
    if path.resolve() in {(project.presets / f"{name}.yaml").resolve() for name in SOURCES}:
        raise FileError(f"{path}: new presets take their entries from it; give another --name")
    if path.exists() and not force:
        raise FileError(f"{path}: is there already; give another --name, or --force to replace it")


def _require_components(wanted: Wanted) -> None:
    """Refuse names that there are none of."""
    named = [(CORPORA, wanted.corpus)]
    named += [(MODELS, name) for name in wanted.models]
    named += [(LOSSES, name) for name in wanted.losses]
    for package, name in named:
        components.source(package, name)
    cells = [f"{model}-{loss}" for model, loss in product(wanted.models, wanted.losses)]
    if unknown := [cell for cell in wanted.tuned if cell not in cells]:
        raise ParamsError(
            f"--tune: {', '.join(unknown)}: no such cell; the preset has: {', '.join(cells)}"
        )


def _source(model: str, texts: Sequence[PresetText]) -> _ModelSource:
    """Return the first preset that has a model, random weights not counted.

    A further entry that no preset has begins as the model itself, and reads its feature.
    """
    own = components.component_of(model)
    for entry in dict.fromkeys((model, own)):
        for text in texts:
            preset = text.preset
            for cell in preset.cells.values():
                is_made = preset.extracted[cell.feature].weights in preset.synthetic_weights
                if cell.model == entry and not is_made:
                    return _ModelSource(model, entry, cell.feature, text)
    if own not in components.names(EXTRACTORS):
        return _ModelSource(model, own, texts[0].preset.baselines.feature, None)
    if missing := _required(EXTRACTORS, own):
        raise ParamsError(
            f"--models {model}: no preset has it, and features.{own}.{missing[0]} has no "
            f"default; add the model to configs/{SOURCES[-1]}.yaml, or write the preset by hand"
        )
    return _ModelSource(model, own, own, None)


def _required(package: str, name: str) -> list[str]:
    """Return the params that a component has no defaults for."""
    try:
        params_class_of(package, name).model_validate({})
    except ValidationError as error:
        return [str(item["loc"][0]) for item in error.errors()]
    return []


def _sections(
    wanted: Wanted, models: Sequence[_ModelSource], texts: Sequence[PresetText]
) -> Iterator[str]:
    """Yield the sections, in the order of the presets."""
    base, *_, demo = texts
    made = wanted.corpus if wanted.corpus in demo.preset.synthetic_corpora else ""
    features = _features(models, base)
    yield f"{base.section('launcher')}\nsynthetic_corpora: [{made}]\nsynthetic_weights: {{}}"
    yield _corpus(wanted)
    yield demo.section("split")
    yield base.section("audio")
    yield _joined("features:", [_entry(text, "features", name) for name, text in features.items()])
    yield _joined("models:", [source.lines("models") for source in models])
    yield _joined("losses:", [_loss(loss, texts) for loss in dict.fromkeys(wanted.losses)])
    yield _joined("recipes:", [source.lines("recipes") for source in models])
    yield _training(wanted.seeds, base)
    extracted = [_extracted(name, text) for name, text in features.items()]
    yield _joined(base.first_line("extracted"), extracted)
    yield base.section("baselines")
    yield _joined(base.first_line("cells"), list(_cells(wanted, models)))
    yield _tuning(wanted, models)
    yield _ROBUSTNESS
    yield _CROSS_CORPUS
    yield from (base.section(name) for name in ("serving", "input_limits"))
    yield _gates(wanted.corpus, texts)


def _corpus(wanted: Wanted) -> str:
    """Return the section of a corpus: its usual emotions, and where its other settings are."""
    lines = [
        "# Its other settings and their defaults: docs/params.md, section corpus.",
        f"corpus:\n  name: {corpus_name(wanted)}",
        f"  emotions: [{', '.join(_emotions(wanted.corpus))}]",
    ]
    if _has_own_name(wanted.corpus):
        lines[1] = f"{lines[1]:<38}# of its folder in data/raw, its experiments and models"
        lines.insert(2, f"  parser: {wanted.corpus}")
    return "\n".join(lines)


def corpus_name(wanted: Wanted) -> str:
    """Return what the corpus of a preset is called: where that is free, as the preset."""
    if not _has_own_name(wanted.corpus):
        return wanted.corpus
    words = re.sub(r"[^a-z0-9]+", "_", wanted.name.lower()).strip("_")
    is_free = words[:1].isalpha() and words not in components.names(CORPORA)
    return (words if is_free else f"preset_{words}")[:40]


def _has_own_name(parser: str) -> bool:
    return "parser" in params_class_of(CORPORA, parser).model_fields


def _emotions(corpus: str) -> tuple[str, ...]:
    emotions: tuple[str, ...] = params_class_of(CORPORA, corpus).model_fields["emotions"].default
    return emotions


def _gates(corpus: str, texts: Sequence[PresetText]) -> str:
    """Return the gates of a preset with as many emotions: guessing is right as often there."""
    wanted = len(_emotions(corpus))
    same = (text for text in texts if len(text.preset.corpus.emotions) == wanted)
    return next(same, texts[0]).section("gates")


def _features(models: Sequence[_ModelSource], base: PresetText) -> dict[str, PresetText | None]:
    """Return the features to extract, that of the baselines first, with where they come from."""
    found: dict[str, PresetText | None] = {base.preset.baselines.feature: base}
    for source in models:
        found.setdefault(source.feature, source.text)
    return found


def _entry(text: PresetText | None, section: str, name: str) -> str:
    """Return an entry of a preset, or one with its class' defaults."""
    if text is None:
        return f"{f'  {name}: {{}}':<30}# its defaults: docs/params.md"
    return text.entry(section, name)


def _extracted(name: str, text: PresetText | None) -> str:
    if text is None:
        return f"  {name}: {{weights: {preset_head.NONE}}}"
    return text.entry("extracted", name)


def _loss(name: str, texts: Sequence[PresetText]) -> str:
    """Return a loss as the first preset has it that does."""
    text = next((text for text in texts if name in text.preset.losses), None)
    return _entry(text, "losses", name)


def _training(seeds: Sequence[int], base: PresetText) -> str:
    if not seeds:
        return base.section("training")
    own = f"  seeds: [{', '.join(map(str, seeds))}]"
    return base.section("training").replace(base.entry("training", "seeds"), own)


def _cells(wanted: Wanted, models: Sequence[_ModelSource]) -> Iterator[str]:
    for source, loss in product(models, dict.fromkeys(wanted.losses)):
        yield f"  {source.model}-{loss}: {{{_cell(source, loss)}}}"


def _cell(source: _ModelSource, loss: str) -> str:
    return f"model: {source.model}, loss: {loss}, feature: {source.feature}"


def _tuning(wanted: Wanted, models: Sequence[_ModelSource]) -> str:
    """Return the section; of a loss that has nothing to tune, the learning rate is searched."""
    start = "tuning:                       # trials and workers: docs/tuning.md\n  cells:"
    if not wanted.tuned:
        return f"{start} {{}}"
    lines = [start]
    for source, loss in product(models, dict.fromkeys(wanted.losses)):
        if f"{source.model}-{loss}" in wanted.tuned:
            rate = "" if tunables(params_class_of(LOSSES, loss)) else ", search: [learning_rate]"
            lines.append(f"    {source.model}-{loss}: {{{_cell(source, loss)}{rate}}}")
    return "\n".join(lines)


#: Of any preset that draws from no copies.
_ROBUSTNESS = """\
robustness:
  without_copies: {}          # cells to train on clean alone, too: docs/params.md"""

#: Of any preset whose cells are not tried on another corpus.
_CROSS_CORPUS = """\
cross_corpus:                 # cells trained on one corpus, tested on another
  corpora: {}                 # docs/cross-corpus.md
  cells: {}"""


def _joined(first: str, entries: Sequence[str]) -> str:
    return "\n".join([first, *entries])


def _head(wanted: Wanted, preset: Preset, models: Sequence[_ModelSource]) -> str:
    """Return the head: what is known of a preset that has not run yet."""
    used = dict.fromkeys(source.text.path for source in models if source.text is not None)
    sizes = [head.memory_gb for path in used if (head := preset_head.read(path)) is not None]
    known = [size for size in sizes if size is not None]
    head = PresetHead(
        corpus=needs_diagnosis.corpus_of(preset),
        weights=needs_diagnosis.weights_of(preset),
        gpu=needs_diagnosis.needs_gpu(preset),
        extras=(),
        takes=preset_head.UNKNOWN,
        memory_gb=max(known, default=None),
        disk_gb=None,
    )
    origin = ", ".join(f"configs/{path.name}" for path in used) or "the defaults of their classes"
    words = (
        f"{SIGNATURE} The settings of the models are from {origin}. They were not chosen on this "
        "corpus. After a run, say here what it takes."
    )
    title = f"# Preset {wanted.name}: {', '.join(dict.fromkeys(wanted.models))} on {wanted.corpus}."
    prose = textwrap.fill(words, 100, initial_indent="# ", subsequent_indent="# ")
    return f"{title}\n{head.text()}{prose}\n"
