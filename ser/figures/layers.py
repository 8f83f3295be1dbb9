"""What each frozen layer of a speech transformer contributes to the answer."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ser.figures import style


def layer_weights(
    weights: Mapping[str, Sequence[Sequence[float]]], *, title: str, footer: str
) -> Figure:
    """Return one line per cell, mean over folds and seeds, between its extremes.

    Args:
        weights: Name of a cell -> weights per fold and seed, each in sum 1; the first is
            the input of the lowest layer.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(8.0, 3.6), layout="constrained")
        axes = figure.subplots()
        for index, (name, rows) in enumerate(weights.items()):
            table = np.asarray(rows, dtype=np.float64)
            colour = style.PALETTE[index % len(style.PALETTE)]
            layers = np.arange(table.shape[1])
            axes.plot(layers, table.mean(axis=0), "o-", color=colour, lw=1.4, ms=4, label=name)
            axes.fill_between(layers, table.min(axis=0), table.max(axis=0), color=colour, alpha=0.2)
        axes.set(xlabel="hidden state, 0 is the input of the lowest layer", ylabel="weight")
        axes.set_ylim(bottom=0.0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize=8, ncols=2)
        style.label(figure, title, footer)
    return figure
