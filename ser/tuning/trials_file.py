"""trials.csv: one row per finished trial, beside the figures of the studies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser import tables

_COLUMNS = ("model", "loss", "fold", "trial")


def write(folder: Path, rows: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write the table; without rows its header says what a row would be of.

    Args:
        folder: That of the figures.
        rows: Each begins with `model, loss, fold, trial`.
    """
    table = pd.DataFrame(rows, columns=None if rows else list(_COLUMNS))
    tables.write_csv(folder / "trials.csv", table)
