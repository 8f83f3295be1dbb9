"""The section of changed recordings: what a copy costs a cell, what training on copies brought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ser import tables
from ser.errors import FileError
from ser.evaluation import robustness
from ser.figures import snr_curves, stability, style
from ser.grid.params import Cell, CellParams
from ser.project import Project

_CURE = "`dvc repro robustness` makes it"

Rows = Sequence[Mapping[Any, Any]]


@dataclass(frozen=True, slots=True)
class RobustnessSection:
    """Cells under the copies of their features; empty where no feature has copies.

    Args:
        rows: Name of a cell -> one row per copy, see `ser.evaluation.robustness.table`, with
            `change` and `level` in words; the cells in the order of the grid.
        without: Feature without copies -> the models that read it.
        pairs: Name of a cell that was trained without copies as well -> one row per copy, see
            `ser.evaluation.robustness.pairs_table`, with `change`, `level` and `verdict`.
        figures: `snr` and `stability` -> PNG, those that there is something to draw for.
    """

    rows: Mapping[str, Rows]
    without: Mapping[str, Sequence[str]]
    pairs: Mapping[str, Rows]
    figures: Mapping[str, Path]

    @property
    def worst(self) -> list[dict[str, Any]]:
        """Per cell the change with the lowest UAR, and the one with the fewest decisions kept."""
        found = []
        for cell, (clean, *changed) in self.rows.items():
            uar = min(changed, key=lambda row: float(row["uar"]))
            stays = min(changed, key=lambda row: float(row["stability"]))
            found.append({"cell": cell, "clean": clean, "uar": uar, "stability": stays})
        return found


def section(
    project: Project,
    cells: Mapping[str, CellParams],
    order: Sequence[Cell],
    *,
    chance: float,
    footer: str,
) -> RobustnessSection:
    """Return the section with its figures, which are written beside the page.

    Args:
        project: The checkout; the stage `robustness` has run.
        cells: All cells by name.
        order: (model, loss) of the cells, best first.
        chance: UAR of guessing.
        footer: Below every figure: corpus, protocol, synthetic or real.

    Raises:
        FileError: See `read`.
    """
    found, scores = read(project.robustness, project.copies_gain, cells, order)
    return replace(found, figures=draw(project.figures, scores, chance=chance, footer=footer))


def read(
    scores_file: Path, pairs_file: Path, cells: Mapping[str, CellParams], order: Sequence[Cell]
) -> tuple[RobustnessSection, pd.DataFrame]:
    """Read what the stage `robustness` wrote.

    Args:
        scores_file: reports/robustness.csv.
        pairs_file: reports/without_copies.csv.
        cells: All cells by name.
        order: (model, loss) of the cells, best first.

    Returns:
        The section without figures, and the scores in that order, to be drawn.

    Raises:
        FileError: A file is missing or is not what the stage writes.
    """
    scores = _read(scores_file, robustness.COLUMNS)
    pairs = _read(pairs_file, robustness.PAIR_COLUMNS)
    place = {f"{model}-{loss}": number for number, (model, loss) in enumerate(order)}
    ranks = (scores["model"] + "-" + scores["loss"]).map(place)
    ordered = scores.assign(rank=ranks).dropna(subset="rank").sort_values("rank", kind="stable")
    ordered = ordered.drop(columns="rank").reset_index(drop=True)
    judged = pairs.assign(
        verdict=[
            robustness.verdict(difference, significant=bool(sure))
            for difference, sure in zip(pairs["difference"], pairs["significant"], strict=True)
        ]
    )
    rows = _by_cell(ordered)
    without: dict[str, list[str]] = {}
    for name, cell in cells.items():
        models = without.setdefault(cell.feature, []) if name not in rows else [cell.model]
        if cell.model not in models:
            models.append(cell.model)
    return RobustnessSection(rows, without, _by_cell(judged), {}), ordered


def draw(folder: Path, scores: pd.DataFrame, *, chance: float, footer: str) -> dict[str, Path]:
    """Draw the curves over noise, and the decisions that stay.

    Args:
        folder: Where PNG and SVG go.
        scores: As in `reports/robustness.csv`, see `read`.
        chance: UAR of guessing.
        footer: Below every figure: corpus, protocol, synthetic or real.

    Returns:
        See `RobustnessSection.figures`.
    """
    drawn = {}
    if robustness.snr_kinds(scores["copy"]):
        title = "UAR under noise, trained cells as they are"
        curves = snr_curves.snr_curves(scores, chance=chance, title=title, footer=footer)
        drawn["snr"] = style.save(curves, folder / "snr")
    if not scores.empty:
        title = "Decisions that stay when the recording is changed, %"
        squares = stability.stability_map(scores, title=title, footer=footer)
        drawn["stability"] = style.save(squares, folder / "stability")
    return drawn


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of the stage with the columns that are shown."""
    table = tables.read_csv(path, cure=_CURE)
    try:
        return table[list(columns)]
    except KeyError as error:
        raise FileError(f"{path}: it lacks columns ({error}); {_CURE}") from error


def _by_cell(table: pd.DataFrame) -> dict[str, list[dict[Any, Any]]]:
    """Return cell -> its rows, each with the change and its level in words."""
    found: dict[str, list[dict[Any, Any]]] = {}
    for row in table.to_dict("records"):
        change = robustness.parse_copy(str(row["copy"]))
        words = {"change": change.name, "level": change.level_text}
        found.setdefault(f"{row['model']}-{row['loss']}", []).append(row | words)
    return found
