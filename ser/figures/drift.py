"""Every watched quantity twice: in the reference, and now."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ser.figures import style

_COLUMNS = 3
_NUM_BINS = 24
_LEVELS = np.linspace(0.0, 1.0, 101)
_COLOURS = {"reference": style.BASELINE_COLOUR, "now": style.PALETTE[1]}


def distributions(
    panels: Sequence[tuple[str, Sequence[float], NDArray[np.float64], bool]],
    shares: Mapping[str, tuple[float, float]],
    *,
    title: str,
    footer: str,
) -> Figure:
    """Return one small picture per quantity, and one of the class shares.

    Args:
        panels: Name with unit; percentiles 0 to 100 of the reference `(101,)`; values now
            `(num_recordings,)`; whether the axis is logarithmic.
        shares: Emotion -> share in the reference, share now.
        title: Above the figure.
        footer: Below it.
    """
    num_rows = -(-(len(panels) + 1) // _COLUMNS)
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(9.0, 0.8 + 2.3 * num_rows), layout="constrained")
        axes = figure.subplots(num_rows, _COLUMNS, squeeze=False).ravel()
        for ax, (name, percentiles, values, is_log) in zip(axes, panels, strict=False):
            _steps(ax, np.asarray(percentiles), values, is_log=is_log)
            ax.set_xlabel(name)
        _bars(axes[len(panels)], shares)
        for ax in axes[len(panels) + 1 :]:
            ax.set_visible(False)
        handles, labels = axes[len(panels)].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        style.label(figure, title, footer)
    return figure


def _steps(
    ax: Axes, percentiles: NDArray[np.float64], values: NDArray[np.float64], *, is_log: bool
) -> None:
    """Draw two histograms over the same bins, as shares of the recordings."""
    low = min(float(percentiles[0]), float(values.min()))
    high = max(float(percentiles[-1]), float(values.max()))
    if low == high:
        low, high = low - 0.5, high + 0.5
    space = np.geomspace if is_log else np.linspace
    edges = space(low, high, _NUM_BINS + 1)
    cumulated = np.interp(edges, percentiles, _LEVELS)
    cumulated[0] = 0.0  # several percentiles may lie at the lowest value
    before = np.diff(cumulated)
    now = np.histogram(values, edges)[0] / len(values)
    ax.stairs(before, edges, fill=True, color=_COLOURS["reference"], alpha=0.35)
    ax.stairs(now, edges, color=_COLOURS["now"], lw=1.8)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    if is_log:
        ax.set_xscale("log")
        ticks = space(low, high, 3)
        ax.set_xticks(ticks, [f"{tick:.0f}" if tick >= 100 else f"{tick:.3g}" for tick in ticks])
        ax.minorticks_off()


def _bars(ax: Axes, shares: Mapping[str, tuple[float, float]]) -> None:
    positions = np.arange(len(shares))
    before, now = np.array(list(shares.values())).T
    ax.bar(positions - 0.2, before, 0.38, color=_COLOURS["reference"], alpha=0.5, label="reference")
    ax.bar(positions + 0.2, now, 0.38, color=_COLOURS["now"], label="now")
    ax.set_xticks(positions, list(shares), rotation=20 if len(shares) > 3 else 0)
    ax.set_xlabel("share of answers")
