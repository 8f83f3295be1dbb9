"""The preset `demo` made so small that the whole pipeline runs in seconds."""

from pathlib import Path
from typing import Any

import yaml


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
