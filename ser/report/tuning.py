"""What the report shows of tuning: what it brought, what was chosen, how the search went."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser import tables
from ser.errors import FileError, LineageError, translating
from ser.evaluation import tuning_gain
from ser.grid import tuned

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
        FileError: A file is missing or is not what these stages write.
        LineageError: The files are of different runs of these stages.
    """
    gains = _read_gains(gains_file)
    is_tuned = gains["num_trials"] > 0
    chosen = {}
    for model, loss in zip(*(gains.loc[is_tuned, key] for key in ("model", "loss")), strict=True):
        cell = tuned.read(tuned_file, model, loss)
        names = {tuple(fold.params) for fold in cell.values()}
        if len(names) != 1 or any(fold.dev_uar is None for fold in cell.values()):
            raise LineageError(
                f"{tuned_file}: {model}.{loss} was not tuned on every fold, but {gains_file} tells "
                f"of it; run `dvc repro tune gain`"
            )
        chosen[f"{model}-{loss}"] = [{"fold": fold, **asdict(cell[fold])} for fold in sorted(cell)]
    return Tuning(
        gains[is_tuned],
        [f"{row['model']}-{row['loss']}" for row in gains[~is_tuned].to_dict("records")],
        chosen,
        {name: _pictures(figures / name, rows) for name, rows in chosen.items()},
    )


def _read_gains(path: Path) -> pd.DataFrame:
    """Return the rows of reports/tuning.csv with their verdict."""
    cure = "`dvc repro gain` makes it"
    gains = tables.read_csv(path, cure=cure)
    said = f"{path}: it is not what tuning brought"
    with translating(lambda error: FileError(f"{said} ({error}); {cure}")):
        gains = gains[list(tuning_gain.COLUMNS)]
        numbers = gains.columns.drop(["model", "loss"])
        gains = gains.astype(dict.fromkeys(numbers, float) | {"num_trials": int})
    ends = zip(gains["low"], gains["high"], strict=True)
    return gains.assign(verdict=[tuning_gain.verdict(low, high) for low, high in ends])


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
