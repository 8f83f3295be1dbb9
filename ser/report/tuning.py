"""What the report shows of tuning: what it brought, what was chosen, how the search went."""

from collections.abc import Mapping, Sequence
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
        gains: One row per tuned cell, see `ser.evaluation.tuning_gain`: `table`, and `verdict`.
        kept: Cells that were to be tuned with no trials, so keep the values of params.yaml.
        chosen: Cell -> a row per fold: `fold`, `num_trials`, `dev_uar` and the params.
        figures: Cell -> fold -> caption -> Optuna's PNG; folds without a figure are left out.
    """

    gains: pd.DataFrame
    kept: Sequence[str]
    chosen: Mapping[str, Sequence[Mapping[str, Any]]]
    figures: Mapping[str, Mapping[int, Mapping[str, Path]]]


def read(gains_file: Path, tuned_file: Path, figures: Path) -> Tuning:
    """Read what the stages `tune` and `gain` wrote.

    Args:
        gains_file: reports/tuning.csv.
        tuned_file: data/tuned.json.
        figures: reports/tuning, `<cell>/fold-<k>/<figure>.png`; may be empty.

    Raises:
        LineageError: A file is missing or is not what these stages write.
    """
    gains = _read_gains(gains_file)
    content = lineage.read_json(tuned_file)
    is_tuned = gains["num_trials"] > 0
    chosen = {}
    for model, loss in zip(*(gains.loc[is_tuned, key] for key in ("model", "loss")), strict=True):
        try:
            chosen[f"{model}-{loss}"] = _rows(content[model][loss])
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise LineageError(
                f"{tuned_file}: holds no outcome of tuning {model}.{loss}, of which {gains_file} "
                f"tells ({error!r}); run `dvc repro tune gain`"
            ) from error
    return Tuning(
        gains[is_tuned],
        [f"{row['model']}-{row['loss']}" for row in gains[~is_tuned].to_dict("records")],
        chosen,
        {name: _pictures(figures / name, rows) for name, rows in chosen.items()},
    )


def _read_gains(path: Path) -> pd.DataFrame:
    """Return the rows of reports/tuning.csv with their verdict."""
    try:
        gains = pd.read_csv(path)[list(tuning_gain.COLUMNS)]
        numbers = gains.columns.drop(["model", "loss"])
        gains = gains.astype(dict.fromkeys(numbers, float) | {"num_trials": int})
    except (OSError, ValueError, KeyError) as error:
        raise LineageError(
            f"{path}: is not what tuning brought ({error}); run `dvc repro gain`"
        ) from error
    ends = zip(gains["low"], gains["high"], strict=True)
    return gains.assign(verdict=[tuning_gain.verdict(low, high) for low, high in ends])


def _rows(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was chosen, fold by fold; all folds searched the same params."""
    folds = sorted(entry.items(), key=lambda item: int(item[0]))
    names = list(folds[0][1]["params"])
    return [
        {
            "fold": int(fold),
            "num_trials": int(found["num_trials"]),
            "dev_uar": float(found["dev_uar"]),
            "params": {name: float(found["params"][name]) for name in names},
        }
        for fold, found in folds
    ]


def _pictures(folder: Path, rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Path]]:
    """Return fold -> caption -> PNG of what was drawn of a cell's studies."""
    drawn = {}
    for row in rows:
        of_fold = folder / f"fold-{row['fold']}"
        paths = {caption: of_fold / f"{name}.png" for name, caption in _CAPTIONS.items()}
        found = {caption: path for caption, path in paths.items() if path.is_file()}
        if found:
            drawn[row["fold"]] = found
    return drawn
