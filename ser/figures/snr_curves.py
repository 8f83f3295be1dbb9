"""UAR over the signal-to-noise ratio, one panel per model and kind of noise."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from ser import components
from ser.evaluation import robustness
from ser.figures import style


def snr_curves(scores: pd.DataFrame, *, chance: float, title: str, footer: str) -> Figure:
    """Return one line per loss, the noise falling to the right, where `clean` stands.

    Args:
        scores: As in `reports/robustness.csv`, with at least one kind of noise at several
            levels; models and losses stand in its order.
        chance: UAR of guessing, drawn as a line.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure. A panel with a single line has its 95 % interval too.
    """
    kinds = robustness.snr_kinds(scores["copy"])
    models, losses = (list(dict.fromkeys(scores[key])) for key in ("model", "loss"))
    with mpl.rc_context(style.STYLE):
        size = 2.6 + 2.9 * len(kinds), 1.6 + 1.8 * len(models)
        figure = Figure(figsize=(max(size[0], 7.2), size[1]), layout="constrained")
        grid = figure.subplots(len(models), len(kinds), sharey=True, squeeze=False)
        for row, model in enumerate(models):
            for column, kind in enumerate(kinds):
                _panel(grid[row, column], scores[scores["model"] == model], kind, losses, chance)
            grid[row, 0].set_ylabel(f"{model}\nUAR")
        for column, kind in enumerate(kinds):
            grid[0, column].set_title(robustness.parse_copy(kind).name)
            grid[-1, column].set_xlabel("signal-to-noise ratio, dB")
        colours = [_colour(loss, losses) for loss in losses]
        lines = [mpl.lines.Line2D([], [], color=colour, marker="o", ms=4) for colour in colours]
        labels = [components.in_words(loss) for loss in losses]
        figure.legend(lines, labels, loc="outside right center", frameon=False)
        style.label(figure, title, footer)
    return figure


def _panel(
    axes: Any, scores: pd.DataFrame, kind: str, losses: Sequence[str], chance: float
) -> None:
    """Draw the lines of one model under one kind of noise."""
    levels = {copy: robustness.parse_copy(copy) for copy in dict.fromkeys(scores["copy"])}
    points = {copy: found.level for copy, found in levels.items() if found.kind == kind}
    axes.axhline(chance, color="grey", lw=1, ls=":")
    if not points:
        axes.text(0.5, 0.5, "no such copies", ha="center", va="center", transform=axes.transAxes)
        axes.set_xticks([])
        return
    ordered = sorted(points.values())
    step = (ordered[-1] - ordered[0]) / max(len(ordered) - 1, 1) or 10.0
    points[robustness.CLEAN] = ordered[-1] + step
    heard = scores[scores["copy"].isin(points)]
    heard = heard.assign(place=heard["copy"].map(points)).sort_values("place", kind="stable")
    for loss, rows in heard.groupby("loss", sort=False):
        colour = _colour(str(loss), losses)
        axes.plot(rows["place"], rows["uar"], "o-", color=colour, lw=1.4, ms=4)
        if heard["loss"].nunique() == 1:
            ends = (rows["uar_low"], rows["uar_high"])
            axes.fill_between(rows["place"], *ends, color=colour, alpha=0.15, lw=0)
    axes.set_xticks([*ordered, ordered[-1] + step], [*(f"{x:g}" for x in ordered), "clean"])
    axes.set_ylim(0.0, 1.0)


def _colour(loss: str, losses: Sequence[str]) -> str:
    return style.PALETTE[losses.index(loss) % len(style.PALETTE)]
