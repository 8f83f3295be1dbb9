"""A project with that corpus: one feature whose frames are drawn, two small cells that read it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks import tiny
from benchmarks.metering import ROOT
from benchmarks.scale import corpus
from benchmarks.stages import Stage
from ser import files
from ser.project import Project

MODEL, FEATURE = "lstm", "mfcc"
LOSSES = ("cross_entropy", "focal")
#: A session each: what one fold trains on, another selects by, and a third tests.
NUM_FOLDS = 3
_PRESET = ROOT / "configs" / "emodb.yaml"


def stages() -> Iterator[Stage]:
    """Yield what is run, in order; two of them once more, where all is there already."""
    extraction = Stage(f"extract@{FEATURE}", "benchmarks.scale.drawn_features")
    first, *others = (Stage.of(f"train@{MODEL}-{loss}") for loss in LOSSES)
    yield from map(Stage.of, ("code", "prepare", "split"))
    yield from (extraction, _again(extraction))
    yield Stage.of(f"tune@{FEATURE}")
    yield from (first, _again(first), *others)
    yield from map(Stage.of, ("score", "gain", "robustness", "baselines", "compare"))


def _again(stage: Stage) -> Stage:
    return replace(stage, name=f"{stage.name}, again")


def make(root: Path, num_utterances: int) -> None:
    """Write code, params and recordings into an empty folder.

    Args:
        root: The folder.
        num_utterances: Of the corpus.
    """
    tiny.copy_code(ROOT, root)
    project = Project(root)
    corpus.write(project.raw(corpus.NAME), num_utterances)
    files.write_text(project.params, yaml.safe_dump(params(), sort_keys=False))


def params() -> dict[str, Any]:
    """Return the content of params.yaml."""
    content: dict[str, Any] = yaml.safe_load(_PRESET.read_text("utf-8"))
    recipe = {**content["recipes"][MODEL], "num_epochs": 1, "patience": 1, "batch_size": 256}
    return content | {
        "synthetic_weights": {},
        "corpus": {
            "name": corpus.NAME,
            "parser": "csv",
            "synthetic": True,
            "num_sessions": NUM_FOLDS,
        },
        "features": {FEATURE: {"hop_ms": 40.0}},
        "models": {MODEL: {"hidden_size": 16, "num_layers": 1, "embedding_dim": 16}},
        "losses": {loss: content["losses"][loss] for loss in LOSSES},
        "recipes": {MODEL: recipe},
        "extracted": {FEATURE: {"weights": "none"}},
        "baselines": {"feature": FEATURE, "functionals": [], "c_grid": [0.01]},
        "cells": {
            f"{MODEL}-{loss}": {"model": MODEL, "loss": loss, "feature": FEATURE} for loss in LOSSES
        },
        "tuning": {"cells": {}},
        "robustness": {"without_copies": {}},
    }
