"""data/tuned/<feature>.json: what tuning chose, per model, loss and fold, for training to use.

Every cell that reads the feature has an entry, so that DVC can tell whose has changed: a cell that
is not tuned keeps the params of params.yaml, and its entry says so for every fold. Of a cell that
is tuned the file says from what, so that values are never taken over to other data or params.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ser import files
from ser.errors import LineageError, TuningError


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

#: What values were chosen for: `manifest`, `split`, `features`, `params` -> SHA-256.
MadeFrom = Mapping[str, str]

#: Beside the models; no model is called so.
_MADE_FROM = "made_from"
_CURE = "`dvc repro tune` makes it"


def write(
    path: Path,
    cells: Mapping[tuple[str, str], TunedCell],
    made_from: Mapping[tuple[str, str], MadeFrom] | None = None,
) -> None:
    """Write what was chosen; the same content gives the same bytes.

    Args:
        path: data/tuned/<feature>.json.
        cells: (model, loss) -> fold -> what was chosen.
        made_from: (model, loss) -> what it was chosen for, of the cells that are tuned.
    """
    sources = {"-".join(cell): dict(found) for cell, found in (made_from or {}).items()}
    content: dict[str, dict[str, Any]] = {_MADE_FROM: sources}
    for (model, loss), folds in cells.items():
        entry = {str(number): asdict(folds[number]) for number in sorted(folds)}
        content.setdefault(model, {})[loss] = entry
    files.write_json(path, content, sort_keys=True)


def read(path: Path, model: str, loss: str) -> TunedCell:
    """Read the entry of one cell.

    Args:
        path: data/tuned/<feature>.json.
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
    return files.read_json(path, parse, what=what, cure=_CURE)


def require_made_from(path: Path, model: str, loss: str, made_from: MadeFrom) -> None:
    """Refuse values that were chosen for other data, or for a cell of other params.

    Args:
        path: data/tuned/<feature>.json; has an entry of the cell.
        model: The cell's model.
        loss: Its loss.
        made_from: What is there now.

    Raises:
        FileError: The file does not say what they were chosen for.
        LineageError: It says something else.
    """

    def parse(content: Mapping[str, Any]) -> dict[str, str]:
        return dict(content[_MADE_FROM][f"{model}-{loss}"])

    said = files.read_json(path, parse, what=f"what {model}.{loss} was tuned on", cure=_CURE)
    if other := [name for name in made_from if said.get(name) != made_from[name]]:
        raise LineageError(
            f"{path}: {model}.{loss} was tuned with other {', '.join(other)} than those of "
            f"params.yaml and data/; run `dvc repro tune`, or go back to the params that made it: "
            f"`make use PRESET=<name>`"
        )


def with_untuned(
    outcomes: Mapping[tuple[str, str], TunedCell],
    cells: Iterable[tuple[str, str]],
    folds: Sequence[int],
) -> dict[tuple[str, str], TunedCell]:
    """Return an entry for every cell: those without an outcome keep params.yaml's values."""
    untouched: TunedCell = dict.fromkeys(folds, UNTUNED)
    return {cell: outcomes.get(cell, untouched) for cell in cells}


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
