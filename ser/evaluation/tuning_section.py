"""What the report shows of tuning: what it brought, what was chosen, how the search went."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser import lineage
from ser.errors import LineageError
from ser.evaluation import tuning_gain

#: File name of a study's figure -> its caption, in the order shown.
_CAPTIONS = {
    "history": "Trials in order",
    "slice": "Value by value",
    "parallel_coordinates": "All values of each trial",
    "importance": "What mattered",
    "contour": "Margin against scale",
}


@dataclass(frozen=True, slots=True)
class Tuning:
    """Tuned cells; empty where nothing was tuned.

    Args:
        gains: One row per cell, see `ser.evaluation.tuning_gain.table`.
        sentences: One per cell: what tuning brought, and whether that is more than chance.
        chosen: Cell -> a row per fold: `fold`, `num_trials`, `dev_uar` and the params.
        figures: Cell -> caption -> Optuna's PNG of its first fold.
    """

    gains: pd.DataFrame
    sentences: list[str]
    chosen: Mapping[str, list[dict[str, Any]]]
    figures: Mapping[str, Mapping[str, Path]]


def read(gains_file: Path, tuned_file: Path, figures: Path) -> Tuning:
    """Read what the stages `tune` and `gain` wrote.

    Args:
        gains_file: reports/tuning.csv.
        tuned_file: data/tuned.json.
        figures: reports/tuning, `<cell>/fold-<k>/<figure>.png`.

    Raises:
        LineageError: A file is missing or is not what these stages write.
    """
    try:
        gains = pd.read_csv(gains_file)
        content = lineage.read_json(tuned_file)
        cells = [(str(model), str(loss)) for model, loss in gains[["model", "loss"]].to_numpy()]
        chosen = {f"{model}-{loss}": _rows(content[model][loss]) for model, loss in cells}
    except (OSError, ValueError, KeyError) as error:
        raise LineageError(
            f"{gains_file} and {tuned_file}: cannot be read together ({error}); run "
            f"`dvc repro tune gain`"
        ) from error
    return Tuning(
        gains,
        tuning_gain.sentences(gains),
        chosen,
        {name: _pictures(figures / name) for name in chosen},
    )


def _rows(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "fold": int(fold),
            "num_trials": found["num_trials"],
            "dev_uar": found["dev_uar"],
            "params": found["params"],
        }
        for fold, found in sorted(entry.items(), key=lambda item: int(item[0]))
    ]


def _pictures(folder: Path) -> dict[str, Path]:
    """Return caption -> PNG of a cell's first study."""
    folds = sorted(folder.glob("fold-*"), key=lambda path: int(path.name.partition("-")[2]))
    if not folds:
        return {}
    found = {caption: folds[0] / f"{name}.png" for name, caption in _CAPTIONS.items()}
    return {caption: path for caption, path in found.items() if path.is_file()}
