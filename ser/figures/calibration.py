"""How far a cell's probabilities can be believed, and what abstaining buys."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from ser.figures import style


def reliability(
    before: pd.DataFrame, after: pd.DataFrame, abstention: pd.DataFrame, *, title: str, footer: str
) -> Figure:
    """Return reliability before and after temperature scaling, beside the abstention curve.

    Args:
        before: One row per bin of confidence: `confidence, accuracy, num_utterances`.
        after: The same after scaling.
        abstention: `coverage, accuracy, uar`, one row per threshold.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(9.0, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="grey", lw=1, ls=":", label="perfectly calibrated")
        _line(left, before, colour=style.PALETTE[1], name="as trained")
        _line(left, after, colour=style.PALETTE[0], name="temperature from dev")
        left.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
        left.legend(frameon=False, fontsize=8, loc="upper left")
        right.plot(abstention["coverage"], abstention["accuracy"], color=style.PALETTE[0])
        right.plot(abstention["coverage"], abstention["uar"], color=style.PALETTE[2], ls="--")
        right.legend(["accuracy", "UAR"], frameon=False, fontsize=8, loc="lower left")
        right.set(xlabel="share of utterances answered", xlim=(0, 1), ylim=(0, 1))
        style.label(figure, title, footer)
    return figure


def _line(axes: Any, bins: pd.DataFrame, *, colour: str, name: str) -> None:
    """Draw one line over the bins that hold anything; a dot's area is its share."""
    filled = bins[bins["num_utterances"] > 0]
    shares = filled["num_utterances"] / filled["num_utterances"].sum()
    axes.plot(filled["confidence"], filled["accuracy"], color=colour, lw=1.2, label=name)
    axes.scatter(filled["confidence"], filled["accuracy"], s=15 + 400 * shares, color=colour)
