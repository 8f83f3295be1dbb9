"""The figures of the report's page, drawn from the cells' results and saved beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ser import predictions, tables
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.evaluation import calibration
from ser.evaluation.evidence import Findings
from ser.evaluation.ranks import Ranking
from ser.figures import calibration as calibration_figure
from ser.figures import (
    confusion,
    heat_map,
    intervals,
    layers,
    learning_curves,
    ranks,
    style,
)
from ser.figures import embeddings as embedding_figure
from ser.figures.embeddings import Embeddings
from ser.grid import procedure
from ser.grid.params import Cell
from ser.grid.procedure import Procedure
from ser.project import CellFolder
from ser.tracking.cells import read as read_record
from ser.training.saved_fold import SavedFold


class Drawn(NamedTuple):
    """PNG files of the page, see `ser.report.page.Report`."""

    figures: dict[str, Path]
    calibration: dict[str, Path]
    embeddings: dict[str, Path]


def draw(
    folder: Path,
    cells: Mapping[Cell, CellFolder],
    grid: pd.DataFrame,
    baselines: pd.DataFrame,
    evidence: Findings,
    card: CorpusCard,
    split: SplitReport,
) -> Drawn:
    """Draw all of them but the cells' own.

    Args:
        folder: Where PNG and SVG go.
        cells: (model, loss) -> the cell's folder.
        grid: See `grid_table.table`.
        baselines: See `reports/baselines.csv`.
        evidence: What predictions say beyond the grid.
        card: The corpus card.
        split: The split report.
    """
    procedures = {model: _procedure(cell) for (model, _), cell in cells.items()}
    footer, emotions = style.footer(card, split) + procedure.line(procedures), card.emotions
    best = [(row["model"], row["loss"]) for row in grid.drop_duplicates("model").to_dict("records")]
    return Drawn(
        {
            **draw_grid(folder, grid, baselines, cells, chance=1 / len(emotions), footer=footer),
            **draw_ranks(folder, evidence.ranking, footer=footer),
            **draw_layer_weights(folder, layer_weights(cells), footer=footer),
        },
        draw_calibration(
            folder,
            {"-".join(cell): predictions.read(cells[cell].predictions) for cell in best},
            footer=footer,
        ),
        draw_embeddings(folder, cells, emotions, footer=footer),
    )


def draw_cell(folder: CellFolder, cell: CellFolder, *, footer: str) -> None:
    """Draw a cell's own figures, and a confusion matrix for every fold under every seed.

    Args:
        folder: Where they go; those of a fold below `fold-<k>/seed-<s>`, PNG only.
        cell: The trained cell.
        footer: Below every figure.
    """
    name = cell.folder.name
    footer += procedure.line({name: _procedure(cell)})
    title = name.replace("-", " × ", 1)  # noqa: RUF001
    test = predictions.read(cell.predictions).query("part == 'test'")
    emotions, counts = predictions.emotions_of(test), predictions.score(test).confusion
    matrices = confusion.ConfusionFigure(emotions, footer=footer)
    style.save(matrices.show(counts, title=title), folder.folder / "confusion")
    history = tables.read_csv(cell.history)
    curves = learning_curves.learning_curves(history, title=title, footer=footer)
    style.save(curves, folder.folder / "learning_curves")
    for key, rows in test.groupby(["fold", "seed"]):
        fold, seed = (int(part) for part in np.array(key))
        if set(emotions) - set(rows["truth"]):
            continue  # shares of a class that nobody spoke are no numbers
        counts, of_fold = predictions.score(rows).confusion, folder.fold(fold, seed)
        shown = matrices.show(counts, title=f"{name}/fold-{fold}/seed-{seed}")
        style.save(shown, of_fold.folder / "confusion", formats=("png",))


def layer_weights(cells: Mapping[Cell, CellFolder]) -> dict[str, list[list[float]]]:
    """Return what frozen layers contribute, per fold and seed, of cells that learn it."""
    found: dict[str, list[list[float]]] = {}
    for cell, folder in cells.items():
        for fold in folder.folds():
            weights = SavedFold(fold.folder).read_facts().layer_weights
            if weights is not None:
                found.setdefault("-".join(cell), []).append(weights)
    return found


def draw_grid(
    folder: Path,
    grid: pd.DataFrame,
    baselines: pd.DataFrame,
    trained: Mapping[Cell, CellFolder],
    *,
    chance: float,
    footer: str,
) -> dict[str, Path]:
    """Draw the heat map and the intervals.

    Args:
        folder: Where PNG and SVG go.
        grid: See `grid_table.table`.
        baselines: See `reports/baselines.csv`.
        trained: (model, loss) -> the cell's folder; losses stand in the order of the cells in
            params.yaml, which is that of the published study.
        chance: UAR of guessing.
        footer: Below every figure: corpus, protocol, synthetic or real.

    Returns:
        `heat_map` and `grid` -> PNG.
    """
    cells = heat_map.heat_map(
        grid,
        models=list(dict.fromkeys(grid["model"])),
        losses=list(dict.fromkeys(loss for _, loss in trained)),
        origins={model: _origin(cell) for (model, _), cell in trained.items()},
        chance=chance,
        title="UAR of every model with every loss; framed: not told apart from the best",
        footer=footer,
    )
    title = "UAR of every cell and of the baselines"
    overview = intervals.grid_intervals(grid, baselines, chance=chance, title=title, footer=footer)
    return {
        "heat_map": style.save(cells, folder / "heat_map"),
        "grid": style.save(overview, folder / "grid"),
    }


def _origin(cell: CellFolder) -> str:
    """Return where a cell's weights came from before training, and what marks the cell."""
    first, *_ = cell.folds()
    return "; ".join([SavedFold(first.folder).read_facts().origin, *_procedure(cell).remarks])


def _procedure(cell: CellFolder) -> Procedure:
    """Return how a cell was trained."""
    return Procedure.of_params(read_record(cell).cell.spec.params)


def draw_ranks(folder: Path, ranking: Ranking | None, *, footer: str) -> dict[str, Path]:
    """Draw the critical-difference diagram as `ranks`, where there is a ranking."""
    if ranking is None:
        return {}
    title = "Losses ranked by every speaker's UAR, mean over models"
    drawn = ranks.critical_difference(ranking, title=title, footer=footer)
    return {"ranks": style.save(drawn, folder / "ranks")}


def draw_calibration(
    folder: Path, frames: Mapping[str, pd.DataFrame], *, footer: str
) -> dict[str, Path]:
    """Draw reliability and abstention.

    Args:
        folder: Where PNG and SVG go.
        frames: Name of a cell -> its predictions.
        footer: Below every figure.

    Returns:
        Name of the cell -> PNG.
    """
    drawn = {}
    for name, frame in frames.items():
        scaled, _ = calibration.calibrate(frame)
        figure = calibration_figure.reliability(
            calibration.reliability_bins(frame[frame["part"] == "test"]),
            calibration.reliability_bins(scaled),
            calibration.abstention_curve(scaled),
            title=f"{name}: calibration and abstention on the test parts",
            footer=footer,
        )
        drawn[name] = style.save(figure, folder / f"calibration_{name}")
    return drawn


def draw_embeddings(
    folder: Path, cells: Mapping[Cell, CellFolder], emotions: tuple[str, ...], *, footer: str
) -> dict[str, Path]:
    """Draw the embeddings of the first fold's test part under the first seed.

    Args:
        folder: Where PNG and SVG go.
        cells: (model, loss) -> the cell's folder.
        emotions: Class names in order.
        footer: Below every figure.

    Returns:
        Model -> PNG with one column per loss.
    """
    by_model: dict[str, dict[str, Embeddings]] = {}
    for (model, loss), cell in sorted(cells.items()):
        first = next(fold for fold in cell.folds() if fold.folder.parent.name == "fold-1")
        arrays = SavedFold(first.folder).read_embeddings()
        by_model.setdefault(model, {})[loss] = Embeddings(
            arrays["embeddings"].astype(np.float32), arrays["labels"], arrays.get("prototypes")
        )
    drawn = {}
    for model, of_loss in by_model.items():
        title = f"{model}: embeddings of unseen speakers, test part of fold 1"
        figure = embedding_figure.embedding_maps(of_loss, emotions, title=title, footer=footer)
        drawn[model] = style.save(figure, folder / f"embeddings_{model}")
    return drawn


def draw_layer_weights(
    folder: Path, weights: Mapping[str, list[list[float]]], *, footer: str
) -> dict[str, Path]:
    """Draw what frozen layers contribute.

    Args:
        folder: Where PNG and SVG go.
        weights: Name of a cell that learns it -> weights of the layers, per fold and seed.
        footer: Below every figure.

    Returns:
        `layers` -> PNG; nothing where no cell learns it.
    """
    if not weights:
        return {}
    title = "What each frozen layer contributes"
    figure = layers.layer_weights(weights, title=title, footer=footer)
    return {"layers": style.save(figure, folder / "layers")}
