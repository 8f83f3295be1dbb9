"""A copy of the project with the preset `iemocap`, cut to one fold, one seed and few epochs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import tiny
from benchmarks.metering import ROOT
from benchmarks.real_size import corpus, weights
from benchmarks.stages import Stage
from ser import files, lineage
from ser.data import splits
from ser.data.split_report import SplitReport
from ser.errors import ParamsError
from ser.project import Project

PRESET = ROOT / "configs" / "iemocap.yaml"


@dataclass(frozen=True, slots=True)
class Cut:
    """What of the preset is run.

    Args:
        cells: Names of cells.
        num_utterances: Of the corpus, about; with fewer than the release has, its counts are not
            checked.
        num_epochs: Of each training.
        device: `auto` takes a GPU where one is.
        is_quick: Tiny networks and short recordings, to try the program.
    """

    cells: tuple[str, ...]
    num_utterances: int = corpus.NUM_UTTERANCES
    num_epochs: int = 2
    device: str = "auto"
    is_quick: bool = False


def preset() -> dict[str, Any]:
    """Return the content of the preset `iemocap`."""
    content: dict[str, Any] = yaml.safe_load(PRESET.read_text("utf-8"))
    return content


def chosen_cells(names: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of these names; one of each model where none is named.

    Raises:
        ParamsError: The preset has no such cell.
    """
    cells = preset()["cells"]
    if unknown := sorted(set(names) - set(cells)):
        known = ", ".join(cells)
        raise ParamsError(f"{PRESET}: there is no cell {unknown[0]!r}; there are: {known}")
    first_of = {cell["model"]: name for name, cell in reversed(cells.items())}
    return tuple(names) or tuple(sorted(first_of.values()))


def stages(cut: Cut) -> Iterator[Stage]:
    """Yield what is run, in order: all that the cells need, then they, then the report."""
    features = features_of(cut)
    names = ["code", "prepare", "split"]
    names += [f"extract@{feature}" for feature in features]
    names += [f"tune@{feature}" for feature in features]
    names += [f"train@{cell}" for cell in cut.cells]
    names += ["score", "gain", "robustness", "baselines", "compare"]
    yield from map(Stage.of, names)


def features_of(cut: Cut) -> list[str]:
    """Return the features of the cells, and that of the baselines, each once."""
    content = preset()
    read = [content["cells"][cell]["feature"] for cell in cut.cells]
    return list(dict.fromkeys([content["baselines"]["feature"], *read]))


def make(root: Path, cut: Cut) -> None:
    """Write code, params, weights and recordings into an empty folder.

    Args:
        root: The folder.
        cut: What is to be run there.
    """
    tiny.copy_code(ROOT, root)
    project = Project(root)
    content = params(cut)
    for name in features_of(cut):
        if name in content["features"] and name != "mfcc":
            folder = project.checkpoint(f"{name}-random")
            content["features"][name] |= weights.write(folder, name, is_tiny=cut.is_quick)
    planned = corpus.turns(cut.num_utterances)
    corpus.write(project.raw("iemocap"), planned, tempo=4.0 if cut.is_quick else 1.0)
    # Last: where it is, all is.
    files.write_text(project.params, yaml.safe_dump(content, sort_keys=False))


def params(cut: Cut) -> dict[str, Any]:
    """Return the preset's params for the cut; the weights are not in them yet."""
    content = preset()
    features = features_of(cut)
    cells = {name: content["cells"][name] for name in cut.cells}
    models = {cell["model"] for cell in cells.values()}
    for model in models:
        recipe = content["recipes"][model]
        recipe |= {"num_epochs": cut.num_epochs, "patience": cut.num_epochs}
    for name in ("wav2vec2", "hubert", "whisper"):
        content["features"][name]["device"] = cut.device
    losses = {cell["loss"] for cell in cells.values()}
    content["losses"] = {name: content["losses"][name] for name in losses}
    if "aam" in losses:  # its warm-up must end before the training does
        content["losses"]["aam"]["warmup_epochs"] = min(1, cut.num_epochs - 1)
    return content | {
        "corpus": {
            **content["corpus"],
            "allow_partial": cut.num_utterances < corpus.NUM_UTTERANCES,
        },
        "features": {name: content["features"][name] for name in features},
        "models": {name: content["models"][name] for name in models},
        "recipes": {name: content["recipes"][name] for name in models},
        "training": {**content["training"], "seeds": [0], "device": cut.device},
        "extracted": {name: {"weights": "none"} for name in features},
        "cells": cells,
    }


def keep_one_fold(project: Project) -> None:
    """Leave the first fold alone, in the folds and in their report."""
    table = splits.to_csv(splits.read(project.splits)[:1])
    report = SplitReport.read(project.split_report)
    changes = {"split_sha256": lineage.sha256_text(table), "folds": report.folds[:1]}
    files.write_text(project.splits, table)
    report.model_copy(update=changes).write(project.split_report)
