"""The answer in a few rows: the best cell, who is near it, and the same cells side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

#: Rows that are shown beside the best cell.
NUM_NEAR = 4


@dataclass(frozen=True, slots=True)
class Headline:
    """What the first screen says.

    Args:
        best: The row of the grid.
        near: The next rows, best first, each with its `lead`: score of the best minus its own.
        not_told_apart: Names of all other cells that are not told apart from the best.
        num_others: How many other cells there are.
    """

    best: dict[Any, Any]
    near: Sequence[dict[Any, Any]]
    not_told_apart: Sequence[str]
    num_others: int


def of(grid: pd.DataFrame, score: str = "uar") -> Headline:
    """Return the answer.

    Args:
        grid: See `ser.evaluation.grid_table.table`, best first.
        score: By which cells are compared.
    """
    best, *others = grid.to_dict("records")
    return Headline(
        best,
        [row | {"lead": best[score] - row[score]} for row in others[:NUM_NEAR]],
        [f"{row['model']}-{row['loss']}" for row in others if row["tied_with_best"]],
        len(others),
    )


def beside(table: pd.DataFrame, group: str, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the UAR of the best cell of every model side by side.

    Args:
        table: One row per cell and group, see `ser.evaluation.breakdown`.
        group: The column that names a row, `fold` or `speaker`.
        grid: Best cell first.

    Returns:
        One row per group: its name, `num_utterances`, and a column `<model>-<loss>` per model,
        best first.
    """
    found = table[[group, "num_utterances"]].drop_duplicates(group).set_index(group)
    for row in grid.drop_duplicates("model").to_dict("records"):
        is_cell = (table["model"] == row["model"]) & (table["loss"] == row["loss"])
        found[f"{row['model']}-{row['loss']}"] = table[is_cell].set_index(group)["uar"]
    return found.reset_index()
