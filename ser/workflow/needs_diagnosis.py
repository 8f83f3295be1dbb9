"""What `ser doctor` finds of what a preset says in its head that it needs."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from ser import lineage
from ser.params import ComponentParams
from ser.pretrained.vggish import NO_WEIGHTS
from ser.workflow.finding import Finding
from ser.workflow.preset import Preset
from ser.workflow.preset_head import PresetHead

_WHAT = "needs"
#: Cells that `make repro` trains at once, unless JOBS says otherwise.
USUAL_JOBS = 2


def examine(root: Path, preset: Preset, head: PresetHead) -> Iterator[Finding]:
    """Compare what a head asks for with this machine.

    Corpus, weights and GPU are looked for elsewhere, as params.yaml has them. A head that
    names others than params.yaml is of a preset that was changed: it says nothing then.

    Args:
        root: The project's root.
        preset: The whole of params.yaml.
        head: Its head.
    """
    if head.corpus != corpus_of(preset) or set(head.weights) != set(weights_of(preset)):
        return
    if head.disk_gb is not None:
        yield _disk(root, head.disk_gb)
    if head.memory_gb is not None:
        yield _memory(head.memory_gb)
    for extra in head.extras:
        yield _extra(extra)


def corpus_of(preset: Preset) -> str:
    """Return the parser of the corpus of a preset."""
    name: str = preset.corpus.parser_name
    return name


def weights_of(preset: Preset) -> tuple[str, ...]:
    """Return the published weights that a preset reads; those that the pipeline makes are none.

    Returns:
        Ids of the hub, and the last part of paths, in order of the features.
    """
    used = sorted({cell.model for cell in preset.cells.values()})
    contents = [*_published(preset).values(), *(preset.models[name].model_dump() for name in used)]
    return tuple(dict.fromkeys(name for content in contents if (name := _name(content))))


def needs_gpu(preset: Preset) -> bool:
    """Return whether a preset trains layers of a published transformer."""
    return any(
        content.get("freeze", "all") != "all" and not _is_pooled(preset, name)
        for name, content in _published(preset).items()
    )


def _is_pooled(preset: Preset, feature: str) -> bool:
    """Return whether no model that reads a feature trains a layer above the feature's cut."""
    models: Mapping[str, ComponentParams] = preset.models
    readers = {cell.model for cell in preset.cells.values() if cell.feature == feature}
    return bool(readers) and all(
        models[name].model_dump().get("num_layers") == 0 for name in readers
    )


def _published(preset: Preset) -> Mapping[str, dict[str, Any]]:
    """Return the params of the extracted features whose weights the pipeline does not make."""
    features: Mapping[str, ComponentParams] = preset.features
    return {
        name: features[name].model_dump()
        for name, plan in preset.extracted.items()
        if plan.weights not in preset.synthetic_weights
    }


def _name(content: Mapping[str, Any]) -> str | None:
    """Return the name of the weights that a component's params point to, or None."""
    named = content.get("checkpoint") or content.get("weights", NO_WEIGHTS)
    if named == NO_WEIGHTS:
        return None
    return str(named) if content.get("revision") else Path(named).name


def _disk(root: Path, needed_gb: float) -> Finding:
    free_gb = shutil.disk_usage(root).free / 1e9
    detail = f"disk: {needed_gb:g} GB for a first run, {free_gb:.1f} GB are free"
    if free_gb >= needed_gb:
        return Finding("ok", _WHAT, detail)
    cure = (
        "make room, e.g. `dvc gc --workspace` drops cached data of other commits; a run that is "
        "there already needs little more"
    )
    return Finding("warn", _WHAT, detail, cure)


def _memory(needed_gb: float) -> Finding:
    free_gb = psutil.virtual_memory().available / 1e9
    detail = f"memory: {needed_gb:g} GB a process, {free_gb:.1f} GB are available"
    if free_gb >= USUAL_JOBS * needed_gb:
        return Finding("ok", _WHAT, detail)
    if free_gb >= needed_gb:
        return Finding("warn", _WHAT, detail, "`make repro JOBS=1` trains one cell at a time")
    cure = "end other programs; where that is not enough, lower batch_size in recipes"
    return Finding("warn", _WHAT, detail, cure)


def _extra(name: str) -> Finding:
    if lineage.package_versions([name])[name] != lineage.NONE:
        return Finding("ok", _WHAT, f"extras: {name} is installed")
    cure = f"`.venv/bin/pip install -c constraints.txt {name}`"
    return Finding("fail", _WHAT, f"extras: {name} is not installed", cure)
