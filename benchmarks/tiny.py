"""A copy of the project, and the preset `demo` made so small that all of it runs in seconds."""

import shutil
from pathlib import Path
from typing import Any

import yaml

#: Folders of data/ that stages read; in a fresh checkout they hold a README and nothing else.
_EMPTY = (
    *("protocol_gaps", "sounds"),
    *("crossed/none", "untuned/none", "weights/none", "without_copies/none"),
)


def copy_code(source: Path, root: Path) -> None:
    """Copy what DVC needs of a project into an empty folder: code, dvc.yaml and empty folders.

    Args:
        source: The project's root.
        root: The folder.
    """
    for name in ("ser", "pipelines"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / name, root / name, ignore=ignore)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(source / name, root / name)
    for name in _EMPTY:
        (root / "data" / name).mkdir(parents=True)
        shutil.copy(source / "data" / name / "README.md", root / "data" / name)


def params(root: Path) -> dict[str, Any]:
    """Return the content of params.yaml: one feature, one model, two cells, one of them tuned.

    There are several epochs, so that there is something to interrupt.

    Args:
        root: Of the project with `configs/demo.yaml`.
    """
    content: dict[str, Any] = yaml.safe_load((root / "configs/demo.yaml").read_text("utf-8"))
    cells = {f"lstm-{loss}": _cell(loss) for loss in ("cross_entropy", "focal")}
    content["corpus"]["utterances_per_session"] = 24
    content["models"]["lstm"] = {"hidden_size": 8, "num_layers": 1, "embedding_dim": 8}
    content["recipes"]["lstm"]["num_epochs"] = 3
    return content | {
        "synthetic_weights": {},
        "extracted": {"mfcc": {"weights": "none"}},
        "cells": cells,
        "tuning": {"num_trials": 2, "num_workers": 1, "cells": {"lstm-focal": _cell("focal")}},
    }


def _cell(loss: str) -> dict[str, str]:
    return {"model": "lstm", "loss": loss, "feature": "mfcc"}
