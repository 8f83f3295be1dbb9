"""The figures of the report's page, drawn from the cells' results and saved beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from ser import predictions
from ser.evaluation import (
    calibration,
    calibration_figure,
    embedding_figure,
    figures,
    grid_figure,
    layer_figure,
    rank_figure,
)
from ser.evaluation.comparison import Cell
from ser.evaluation.embedding_figure import Embeddings
from ser.evaluation.evidence import Evidence
from ser.evaluation.ranks import Ranking

PREDICTIONS = "predictions.parquet"


class Drawn(NamedTuple):
    """PNG files of the page, see `ser.evaluation.report.Report`."""

    figures: dict[str, Path]
    calibration: dict[str, Path]
    embeddings: dict[str, Path]


def draw(
    folder: Path,
    cells: Mapping[Cell, Path],
    grid: pd.DataFrame,
    floor: pd.DataFrame,
    evidence: Evidence,
    card: Mapping[str, Any],
    split: Mapping[str, Any],
) -> Drawn:
    """Draw all of them but the cells' own.

    Args:
        folder: Where PNG and SVG go.
        cells: (model, loss) -> the cell's folder.
        grid: See `grid_table.table`.
        floor: See `reports/floor.csv`.
        evidence: What predictions say beyond the grid.
        card: The corpus card.
        split: The split report.
    """
    foot, emotions = figures.foot(card, split), tuple(card["emotions"])
    best = [(row["model"], row["loss"]) for row in grid.drop_duplicates("model").to_dict("records")]
    return Drawn(
        {
            **draw_grid(folder, grid, floor, chance=1 / len(emotions), foot=foot),
            **draw_ranks(folder, evidence.ranking, foot=foot),
            **draw_layer_weights(folder, layer_weights(cells), foot=foot),
        },
        draw_calibration(
            folder,
            {"-".join(cell): predictions.read(cells[cell] / PREDICTIONS) for cell in best},
            foot=foot,
        ),
        draw_embeddings(folder, cells, emotions, foot=foot),
    )


def layer_weights(cells: Mapping[Cell, Path]) -> dict[str, list[list[float]]]:
    """Return what frozen layers contribute, per fold and seed, of cells that learn it."""
    found: dict[str, list[list[float]]] = {}
    for cell, folder in cells.items():
        for path in sorted(folder.glob("fold-*/seed-*/facts.json")):
            weights = json.loads(path.read_text(encoding="utf-8")).get("layer_weights")
            if weights is not None:
                found.setdefault("-".join(cell), []).append(weights)
    return found


def draw_grid(
    folder: Path, grid: pd.DataFrame, floor: pd.DataFrame, *, chance: float, foot: str
) -> dict[str, Path]:
    """Draw the heat map and the intervals.

    Args:
        folder: Where PNG and SVG go.
        grid: See `grid_table.table`.
        floor: See `reports/floor.csv`.
        chance: UAR of guessing.
        foot: Below every figure: corpus, protocol, synthetic or real.

    Returns:
        `heat_map` and `grid` -> PNG.
    """
    heat_map = grid_figure.heat_map(
        grid,
        models=list(dict.fromkeys(grid["model"])),
        losses=sorted(set(grid["loss"])),
        chance=chance,
        title="UAR of every model with every loss; framed: tied with the best",
        foot=foot,
    )
    title = "UAR of every cell and of the floor"
    overview = figures.grid_intervals(grid, floor, chance=chance, title=title, foot=foot)
    return {
        "heat_map": figures.save(heat_map, folder / "heat_map")[0],
        "grid": figures.save(overview, folder / "grid")[0],
    }


def draw_ranks(folder: Path, ranking: Ranking | None, *, foot: str) -> dict[str, Path]:
    """Draw the critical-difference diagram as `ranks`, where there is a ranking."""
    if ranking is None:
        return {}
    title = "Losses ranked by every speaker's UAR, mean over models"
    drawn = rank_figure.critical_difference(ranking, title=title, foot=foot)
    return {"ranks": figures.save(drawn, folder / "ranks")[0]}


def draw_calibration(
    folder: Path, frames: Mapping[str, pd.DataFrame], *, foot: str
) -> dict[str, Path]:
    """Draw reliability and abstention.

    Args:
        folder: Where PNG and SVG go.
        frames: Name of a cell -> its predictions.
        foot: Below every figure.

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
            foot=foot,
        )
        drawn[name] = figures.save(figure, folder / f"calibration_{name}")[0]
    return drawn


def draw_embeddings(
    folder: Path, cells: Mapping[Cell, Path], emotions: tuple[str, ...], *, foot: str
) -> dict[str, Path]:
    """Draw the embeddings of the first fold's test part under the first seed.

    Args:
        folder: Where PNG and SVG go.
        cells: (model, loss) -> the cell's folder.
        emotions: Class names in order.
        foot: Below every figure.

    Returns:
        Model -> PNG with one column per loss.
    """
    by_model: dict[str, dict[str, Embeddings]] = {}
    for (model, loss), cell in sorted(cells.items()):
        arrays = load_file(sorted(cell.glob("fold-1/seed-*/embeddings.safetensors"))[0])
        by_model.setdefault(model, {})[loss] = Embeddings(
            arrays["embeddings"].astype(np.float32), arrays["labels"], arrays.get("prototypes")
        )
    drawn = {}
    for model, of_loss in by_model.items():
        title = f"{model}: embeddings of unseen speakers, test part of fold 1"
        figure = embedding_figure.embedding_maps(of_loss, emotions, title=title, foot=foot)
        drawn[model] = figures.save(figure, folder / f"embeddings_{model}")[0]
    return drawn


def draw_layer_weights(
    folder: Path, weights: Mapping[str, list[list[float]]], *, foot: str
) -> dict[str, Path]:
    """Draw what frozen layers contribute.

    Args:
        folder: Where PNG and SVG go.
        weights: Name of a cell that learns it -> weights of the layers, per fold and seed.
        foot: Below every figure.

    Returns:
        `layers` -> PNG; nothing where no cell learns it.
    """
    if not weights:
        return {}
    title = "What each frozen layer contributes"
    figure = layer_figure.layer_weights(weights, title=title, foot=foot)
    return {"layers": figures.save(figure, folder / "layers")[0]}
