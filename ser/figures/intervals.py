"""The UAR of every cell and of the baselines, each with its interval."""

from typing import Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ser.figures import style


def grid_intervals(
    grid: pd.DataFrame,
    baselines: pd.DataFrame,
    *,
    chance: float,
    title: str,
    footer: str,
    score: Literal["uar", "ccc"] = "uar",
) -> Figure:
    """Return the cells' UAR with their intervals, best on top, the baselines below them in grey.

    Args:
        grid: As in `reports/grid.csv`.
        baselines: As in `reports/baselines.csv`; may be empty.
        chance: UAR of guessing, drawn as a line.
        score: What is drawn; `ccc` is that of a corpus without classes.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    scores = [score, f"{score}_low", f"{score}_high"]
    cells = grid.sort_values(score, kind="stable")
    below = baselines.sort_values(score, kind="stable")
    names = [
        *("baseline: " + below["name"]),
        *(cells["model"] + " × " + cells["loss"]),  # noqa: RUF001
    ]
    uars = np.concatenate([part[scores].to_numpy(dtype=np.float64) for part in (below, cells)])
    colours = [style.BASELINE_COLOUR] * len(below) + [style.PALETTE[0]] * len(cells)
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(8.0, 1.3 + 0.36 * len(names)), layout="constrained")
        axes = figure.subplots()
        positions = np.arange(len(names))
        axes.hlines(positions, uars[:, 1], uars[:, 2], color=colours, lw=2)
        axes.scatter(uars[:, 0], positions, c=colours, s=36, zorder=3)
        axes.axvline(chance, color="grey", lw=1, ls=":")
        axes.text(chance, len(names) - 0.45, " chance", color="grey", fontsize=8, va="bottom")
        if len(below):
            axes.axhline(len(below) - 0.5, color="lightgrey", lw=0.8)
        axes.set_yticks(positions, names)
        axes.set(xlim=(min(0.0, np.nanmin(uars)), 1.0), ylim=(-0.6, len(names) - 0.1))
        said = f"{score.upper()} on unseen speakers' test utterances"
        axes.set_xlabel(f"{said}, 95 % interval over speakers")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        style.label(figure, title, footer)
    return figure
