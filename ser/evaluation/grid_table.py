"""The comparison as a table, one row per cell: `reports/grid.csv`, and beside it best.csv."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ser import files, tables
from ser.evaluation import best
from ser.evaluation.best import Standing
from ser.evaluation.summary import CellSummary
from ser.grid.params import Cell
from ser.project import Project

COLUMNS = (
    "model",
    "loss",
    "num_folds",
    "num_seeds",
    "uar",
    "uar_low",
    "uar_high",
    "wa",
    "wa_low",
    "wa_high",
    "macro_f1",
    "mcc",
    "ece",
    "tied_with_best",
)

#: Above the marks `=` in a terminal: the cells that `tied_with_best` is True of.
MARKED = "not told apart from the best"


def standing_columns(score: str) -> tuple[str, ...]:
    """Return what best.csv says of each cell, beside the names of model and loss.

    Args:
        score: By which cells are compared, `uar`, or `ccc` where there are no classes.
    """
    ends = (f"{score}_corrected{end}" for end in ("", "_low", "_high"))
    return "probability_best", "p_against_best", "p_corrected", *ends


STANDING = standing_columns("uar")
#: Of the grid, those that `dvc metrics` shows: few enough for a table in a terminal.
SCORES = ("uar", "uar_low", "uar_high", "wa", "macro_f1")


def table(summaries: Mapping[tuple[str, str], CellSummary]) -> pd.DataFrame:
    """Return the grid.

    Args:
        summaries: (model, loss) -> scores.

    Returns:
        One row per cell with `COLUMNS` and `STANDING`, highest UAR first. `tied_with_best` is False
        where the cell is told apart from the best, see `ser.evaluation.best.Standing`;
        `p_against_best` is empty for the first row. `uar_corrected`, for having been chosen as the
        highest, and its interval stand in the first row only; they are not known where no resample
        of speakers has every class.

    Raises:
        ValueError: The cells were tested on different utterances.
    """
    rows = [
        {
            "model": model,
            "loss": loss,
            "num_folds": summary.num_folds,
            "num_seeds": summary.num_seeds,
            **summary.scores,
            **{
                f"{name}_{end}": getattr(interval, end)
                for name, interval in summary.intervals.items()
                for end in ("low", "high")
            },
        }
        for (model, loss), summary in summaries.items()
    ]
    grid = pd.DataFrame(rows)
    ordered = grid.sort_values(["uar", "model", "loss"], ascending=[False, True, True])
    ordered = ordered.reset_index(drop=True)
    order = list(zip(ordered["model"], ordered["loss"], strict=True))
    standings = best.judge({cell: summaries[cell].by_seed for cell in order})
    return judged(ordered, standings, "uar", least=0.0)[[*COLUMNS, *STANDING]]


def judged(
    ordered: pd.DataFrame, standings: Mapping[Cell, Standing], score: str, *, least: float
) -> pd.DataFrame:
    """Return a grid with `tied_with_best` and the columns of best.csv.

    Args:
        ordered: One row per cell, with the score and its interval, highest first.
        standings: How they stand, the same cells in the same order.
        score: By which they are compared.
        least: What the score is at least.
    """
    found = pd.concat([ordered, pd.DataFrame(list(map(_standing, standings.values())))], axis=1)
    for end in ("", "_low", "_high"):
        corrected = found[f"{score}{end}"] - found["optimism"]
        found[f"{score}_corrected{end}"] = corrected.clip(lower=least)
    return found.drop(columns="optimism")


def _standing(found: Standing) -> dict[str, object]:
    return {
        "tied_with_best": not found.is_told_apart,
        "probability_best": found.probability,
        "p_against_best": found.p,
        "p_corrected": found.p_corrected,
        "optimism": found.optimism,
    }


def write(project: Project, grid: pd.DataFrame) -> None:
    """Write grid.csv and best.csv, and the main scores for `dvc metrics`."""
    tables.write_csv(project.grid, grid[list(COLUMNS)])
    write_best(project, grid, "uar")
    write_metrics(project, grid, SCORES)


def write_best(project: Project, grid: pd.DataFrame, score: str) -> None:
    """Write best.csv: how the cells of a grid stand, compared by a score."""
    columns = ["model", "loss", *standing_columns(score)]
    tables.write_csv(project.breakdown("best"), grid[columns])


def write_metrics(project: Project, grid: pd.DataFrame, scores: Sequence[str]) -> None:
    """Write some columns of a grid for `dvc metrics`: a file, and so a row, per cell.

    Args:
        project: Where they go, see `Project.for_dvc`, replaced as a whole.
        grid: With columns `model` and `loss`.
        scores: Which columns; where one has no value, it is left out.
    """
    with files.replacing_folder(project.for_dvc("metrics")) as part:
        for row in grid.to_dict("records"):
            said = {name: round(float(row[name]), 6) for name in scores if pd.notna(row[name])}
            files.write_json(part / f"{row['model']}-{row['loss']}.json", said)


def names_as_text(grid: pd.DataFrame) -> list[str]:
    """Return the two columns of names for a terminal, header first, as wide as the longest."""
    rows = [("model", "loss"), *zip(grid["model"], grid["loss"], strict=True)]
    models = max(10, *(len(model) for model, _ in rows))
    losses = max(16, *(len(loss) for _, loss in rows))
    return [f"{model:<{models}} {loss:<{losses}}" for model, loss in rows]


def as_text(grid: pd.DataFrame) -> str:
    """Return the grid for a terminal: scores in percent, the column `MARKED` last."""
    header, *names = names_as_text(grid)
    lines = [f"{header} {'UAR %':>6} {'95 % interval':>16} {'WA %':>6}  {MARKED}"]
    for name, row in zip(names, grid.to_dict("records"), strict=True):
        interval = f"{100 * row['uar_low']:.1f} to {100 * row['uar_high']:.1f}"
        lines.append(
            f"{name} {100 * row['uar']:>6.1f} {interval:>16} "
            f"{100 * row['wa']:>6.1f}  {'=' if row['tied_with_best'] else ''}".rstrip()
        )
    return "\n".join(lines)
