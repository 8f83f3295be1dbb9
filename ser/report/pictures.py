"""The figures of the report's page, drawn from the cells' results and saved beside it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ser import predictions, tables
from ser.cell_folders import CellFolder
from ser.contracts import Engine
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import SerError
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
from ser.report.footer import footer_of
from ser.tracking.cells import read as read_record
from ser.training.saved_fold import SavedFold

#: Makes files; may be sent to another process.
Drawing = Callable[[], None]


class ModelFigures(NamedTuple):
    """What is drawn of single models, which takes the longest.

    Args:
        calibration: Best cell of each model -> its PNG.
        embeddings: Model -> its PNG.
        drawings: What makes these files, the longest first; see `run`.
    """

    calibration: dict[str, Path]
    embeddings: dict[str, Path]
    drawings: list[Drawing]


def of_models(
    folder: Path,
    cells: Mapping[Cell, CellFolder],
    grid: pd.DataFrame,
    card: CorpusCard,
    split: SplitReport,
) -> ModelFigures:
    """Return the figures of single models and what is to be done for them.

    Args:
        folder: Where PNG and SVG go.
        cells: (model, loss) -> the cell's folder.
        grid: See `grid_table.table`.
        card: The corpus card.
        split: The split report.
    """
    footer = _footer(cells, card, split)
    rows = grid.drop_duplicates("model").to_dict("records")
    best = [cells[row["model"], row["loss"]] for row in rows]
    reliability = {cell.folder.name: folder / f"calibration_{cell.folder.name}" for cell in best}
    maps = {model: folder / f"embeddings_{model}" for model, _ in sorted(cells)}
    return ModelFigures(
        {name: stem.with_suffix(".png") for name, stem in reliability.items()},
        {model: stem.with_suffix(".png") for model, stem in maps.items()},
        [
            *(
                partial(draw_embeddings, stem, model, cells, card.emotions, footer=footer)
                for model, stem in maps.items()
            ),
            *(
                partial(draw_calibration, stem, cell, footer=footer)
                for cell, stem in zip(best, reliability.values(), strict=True)
            ),
        ],
    )


def run(drawings: Sequence[Drawing], engine: Engine[Drawing]) -> None:
    """Make drawings, several at once.

    Args:
        drawings: Each makes its own files.
        engine: Where.

    Raises:
        SerError: One of them failed; it says why.
    """
    for outcome in engine.run(_do, drawings):
        if outcome.error is not None:
            raise SerError(outcome.error)


def _do(drawing: Drawing) -> None:
    drawing()


def draw(
    folder: Path,
    cells: Mapping[Cell, CellFolder],
    grid: pd.DataFrame,
    baselines: pd.DataFrame,
    evidence: Findings,
    card: CorpusCard,
    split: SplitReport,
) -> dict[str, Path]:
    """Draw the figures of all cells together.

    Args:
        folder: Where PNG and SVG go.
        cells: (model, loss) -> the cell's folder.
        grid: See `grid_table.table`.
        baselines: See `reports/baselines.csv`.
        evidence: What predictions say beyond the grid.
        card: The corpus card.
        split: The split report.

    Returns:
        Name of the figure -> PNG.
    """
    footer, chance = _footer(cells, card, split), 1 / len(card.emotions)
    return {
        **draw_grid(folder, grid, baselines, cells, chance=chance, footer=footer),
        **draw_ranks(folder, evidence.ranking, footer=footer),
        **draw_layer_weights(folder, layer_weights(cells), footer=footer),
    }


def _footer(cells: Mapping[Cell, CellFolder], card: CorpusCard, split: SplitReport) -> str:
    procedures = {model: _procedure(cell) for (model, _), cell in cells.items()}
    return footer_of(card, split) + procedure.line(procedures)


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


def draw_calibration(stem: Path, cell: CellFolder, *, footer: str) -> None:
    """Draw a cell's reliability and abstention.

    Args:
        stem: Where PNG and SVG go, without a suffix.
        cell: The cell.
        footer: Below the figure.
    """
    frame = predictions.read(cell.predictions)
    scaled, _ = calibration.calibrate(frame)
    figure = calibration_figure.reliability(
        calibration.reliability_bins(frame[frame["part"] == "test"]),
        calibration.reliability_bins(scaled),
        calibration.abstention_curve(scaled),
        title=f"{cell.folder.name}: calibration and abstention on the test parts",
        footer=footer,
    )
    style.save(figure, stem)


def draw_embeddings(
    stem: Path,
    model: str,
    cells: Mapping[Cell, CellFolder],
    emotions: tuple[str, ...],
    *,
    footer: str,
) -> None:
    """Draw the embeddings of the first fold's test part under the first seed, a column per loss.

    Args:
        stem: Where PNG and SVG go, without a suffix.
        model: Which of the models.
        cells: (model, loss) -> the cell's folder.
        emotions: Class names in order.
        footer: Below the figure.
    """
    of_loss: dict[str, Embeddings] = {}
    for (_, loss), cell in sorted(item for item in cells.items() if item[0][0] == model):
        first = next(fold for fold in cell.folds() if fold.folder.parent.name == "fold-1")
        arrays = SavedFold(first.folder).read_embeddings()
        of_loss[loss] = Embeddings(
            arrays["embeddings"].astype(np.float32), arrays["labels"], arrays.get("prototypes")
        )
    title = f"{model}: embeddings of unseen speakers, test part of fold 1"
    style.save(embedding_figure.embedding_maps(of_loss, emotions, title=title, footer=footer), stem)


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
