"""The grid as a heat map: one square per model and loss."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ser import components
from ser.figures import style


def heat_map(
    grid: pd.DataFrame,
    *,
    models: Sequence[str],
    losses: Sequence[str],
    origins: Mapping[str, str],
    chance: float,
    title: str,
    footer: str,
) -> Figure:
    """Return UAR by model and loss, each square with its interval; framed are those not told apart.

    Args:
        grid: As in `reports/grid.csv`.
        models: Rows, top to bottom.
        losses: Columns, left to right; a pair that is not in the grid stays empty.
        origins: Model -> where its weights came from before training.
        chance: UAR of guessing, where the colours begin.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    rows = {(row["model"], row["loss"]): row for row in grid.to_dict("records")}
    uars = np.array(
        [
            [rows[model, loss]["uar"] if (model, loss) in rows else np.nan for loss in losses]
            for model in models
        ]
    )
    with mpl.rc_context(style.STYLE):
        # A small grid has large squares: its title, footer and scale need the room.
        size = max(1.9 + 1.45 * len(losses), 5.6), max(1.4 + 0.85 * len(models), 2.8)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(100 * uars, cmap="YlGnBu", vmin=100 * chance, vmax=100, aspect="auto")
        for (row, column), uar in np.ndenumerate(uars):
            if np.isnan(uar):
                axes.text(column, row, "not trained", ha="center", va="center", color="grey")
                continue
            cell = rows[models[row], losses[column]]
            _write(axes, (column, row), cell, dark=(uar - chance) / (1 - chance) > 0.55)
            if cell["tied_with_best"]:
                axes.add_patch(_frame(column, row))
        axes.set_xticks(range(len(losses)), [components.in_words(loss) for loss in losses])
        axes.set_yticks(range(len(models)), [_named(model, origins[model]) for model in models])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, shrink=0.9, label="test UAR %,\nfrom chance to 100")
        style.label(figure, title, footer)
    return figure


def _named(model: str, origin: str) -> str:
    """Return a model's name with the origin of its weights below it, in lines of a few words."""
    return "\n".join([model, *textwrap.wrap(f"({origin})", 18)])


def _write(axes: Any, place: tuple[float, float], cell: dict[Any, Any], *, dark: bool) -> None:
    """Write a square's UAR and, smaller, its interval."""
    column, row = place
    colour = "white" if dark else "black"
    text = f"{100 * cell['uar']:.1f}"
    axes.text(column, row - 0.1, text, ha="center", va="center", color=colour, fontsize=12)
    if pd.notna(cell["uar_low"]):
        ends = f"{100 * cell['uar_low']:.1f} to {100 * cell['uar_high']:.1f}"
        axes.text(column, row + 0.24, ends, ha="center", va="center", color=colour, fontsize=7.5)


def _frame(column: int, row: int) -> mpl.patches.Rectangle:
    """Return the frame around a square that is not told apart from the best."""
    place = column - 0.47, row - 0.46
    return mpl.patches.Rectangle(
        place, 0.94, 0.92, fill=False, edgecolor=style.PALETTE[1], linewidth=2.5
    )
