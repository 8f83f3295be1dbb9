"""data/tuned.json: what tuning chose, per model, loss and fold, for training to take over.

Every cell has an entry, so that DVC can tell whose has changed: a cell that is not tuned
keeps the params of params.yaml, and its entry says so for every fold.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ser import files
from ser.errors import TuningError


@dataclass(frozen=True, slots=True)
class TunedFold:
    """What tuning chose for one cell on one fold.

    Args:
        params: Dotted name -> value, e.g. `loss.gamma`; empty keeps params.yaml's.
        study: Name of the Optuna study, None where there was none.
        num_trials: Finished trials of the study, pruned ones included.
        dev_uar: Of the best trial, in [0, 1]; None without trials.
    """

    params: Mapping[str, float]
    study: str | None = None
    num_trials: int = 0
    dev_uar: float | None = None


#: Fold -> what was chosen for it.
TunedCell = Mapping[int, TunedFold]

UNTUNED = TunedFold({})


def write(path: Path, cells: Mapping[tuple[str, str], TunedCell]) -> None:
    """Write data/tuned.json; the same content gives the same bytes.

    Args:
        path: The file.
        cells: (model, loss) -> fold -> what was chosen.
    """
    content: dict[str, dict[str, Any]] = {}
    for (model, loss), folds in cells.items():
        entry = {str(number): asdict(folds[number]) for number in sorted(folds)}
        content.setdefault(model, {})[loss] = entry
    files.write_json(path, content, sort_keys=True)


def read(path: Path, model: str, loss: str) -> TunedCell:
    """Read the entry of one cell.

    Args:
        path: data/tuned.json.
        model: The cell's model.
        loss: Its loss.

    Returns:
        Fold -> what was chosen.

    Raises:
        FileError: No such file or entry, or it is not of this format.
    """

    def parse(content: Mapping[str, Any]) -> TunedCell:
        entry = content[model][loss]
        return {int(number): _fold(found) for number, found in entry.items()}

    what = f"an outcome of tuning with an entry {model}.{loss}"
    return files.read_json(path, parse, what=what, cure="`dvc repro tune` makes it")


def of_fold(cell: TunedCell, number: int) -> TunedFold:
    """Return what was chosen for a fold.

    Raises:
        TuningError: Nothing was, as after the folds have changed.
    """
    if number not in cell:
        known = ", ".join(map(str, cell)) or "none"
        raise TuningError(
            f"tuning knows no fold {number}, but: {known}; run `dvc repro tune` on these folds"
        )
    return cell[number]


def _fold(content: Mapping[str, Any]) -> TunedFold:
    found = TunedFold(**content)
    for name, value in found.params.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise ValueError(f"{name} must be a number, got {value!r}")
    return found
