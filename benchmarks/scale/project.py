"""A project with that corpus: a tiny frozen network as the feature, two small cells above it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks import tiny
from benchmarks.metering import ROOT
from benchmarks.real_size import weights
from benchmarks.scale import corpus
from benchmarks.stages import Stage
from ser import files
from ser.project import Project

MODEL = "hubert"
LOSSES = ("cross_entropy", "focal")
NUM_FOLDS = 5
AGAIN = ", again"
_PRESET = ROOT / "configs" / "emodb.yaml"


def stages() -> Iterator[Stage]:
    """Yield what is run, in order; two of them once more, where all is there already."""
    first, *others = (f"train@{MODEL}-{loss}" for loss in LOSSES)
    for name in ("code", "prepare", "split", f"extract@{MODEL}", f"tune@{MODEL}", first):
        yield Stage.of(name)
        if name in (f"extract@{MODEL}", first):
            again = Stage.of(name)
            yield Stage(f"{name}{AGAIN}", again.module, again.words)
    for name in (*others, "score", "gain", "robustness", "baselines", "compare"):
        yield Stage.of(name)


def make(root: Path, num_utterances: int) -> None:
    """Write code, params, weights and recordings into an empty folder.

    Args:
        root: The folder.
        num_utterances: Of the corpus.
    """
    tiny.copy_code(ROOT, root)
    project = Project(root)
    checkpoint = weights.write(project.checkpoint(f"{MODEL}-random"), MODEL, is_tiny=True)
    corpus.write(project.raw(corpus.NAME), num_utterances)
    files.write_text(project.params, yaml.safe_dump(params(checkpoint), sort_keys=False))


def params(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return the content of params.yaml.

    Args:
        checkpoint: What the feature's params say of the weights.
    """
    content: dict[str, Any] = yaml.safe_load(_PRESET.read_text("utf-8"))
    recipe = {**content["recipes"][MODEL], "num_epochs": 1, "patience": 1, "batch_size": 64}
    return content | {
        "synthetic_weights": {},
        "corpus": {
            "name": corpus.NAME,
            "parser": "csv",
            "synthetic": True,
            "num_sessions": NUM_FOLDS,
        },
        "features": {MODEL: {**checkpoint, "freeze": "all"}},
        "models": {MODEL: content["models"][MODEL]},
        "losses": {loss: content["losses"][loss] for loss in LOSSES},
        "recipes": {MODEL: recipe},
        "extracted": {MODEL: {"weights": "none"}},
        "baselines": {"feature": MODEL, "functionals": []},
        "cells": {
            f"{MODEL}-{loss}": {"model": MODEL, "loss": loss, "feature": MODEL} for loss in LOSSES
        },
        "tuning": {"cells": {}},
        "robustness": {"without_copies": {}},
    }
