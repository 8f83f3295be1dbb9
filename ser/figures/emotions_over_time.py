"""The emotions of a recording over time, beneath its waveform."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ser.figures import style

#: Start and end in seconds, the most probable emotion or None where nobody speaks, and whether it
#: is given.
Stretch = tuple[float, float, str | None, bool]

#: Steps of the outline that are drawn at most; a figure has fewer dots across.
_MAX_STEPS = 2000
_NO_SPEECH = "#D0D7DE"


def emotions_over_time(
    outline: NDArray[np.float32],
    stretches: Sequence[Stretch],
    times: NDArray[np.float64],
    probabilities: Mapping[str, NDArray[np.float64]],
    *,
    title: str,
    footer: str,
) -> Figure:
    """Return a figure: the waveform, the segments beneath it, and all probabilities over time.

    Args:
        outline: Lowest and highest sample of steps of equal length, `(num_steps, 2)`.
        stretches: Segments, in order, without gaps.
        times: Of the probabilities, in seconds, `(num_frames,)`.
        probabilities: Emotion -> of each frame, in [0, 1], NaN where nobody speaks.
        title: Above the figure.
        footer: Below it.
    """
    end_s = stretches[-1][1]
    unit, scale = ("s", 1.0) if end_s < 600 else ("min", 1 / 60)
    palette = (colour for _ in range(1 + len(probabilities)) for colour in style.PALETTE)
    colours = dict(zip(probabilities, palette, strict=False))
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(10.0, 5.2), layout="constrained")
        axes = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 3))
        _waveform(axes[0], outline, end_s * scale)
        _segments(axes[1], stretches, colours, scale)
        for name, values in probabilities.items():
            # Of a recording that is heard at once there is one value.
            marker = "o" if len(times) == 1 else None
            axes[2].plot(times * scale, values, color=colours[name], lw=1.4, marker=marker)
        axes[2].set(ylim=(0.0, 1.0), ylabel="probability", xlabel=f"time ({unit})")
        axes[2].set_xlim(0.0, end_s * scale)
        handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
        handles += [
            Patch(facecolor="white", edgecolor="grey", hatch="////", label="no emotion given"),
            Patch(color=_NO_SPEECH, label="no speech"),
        ]
        figure.legend(handles=handles, loc="outside right upper", frameon=False)
        style.label(figure, title, footer)
    return figure


def _waveform(ax: Axes, outline: NDArray[np.float32], end: float) -> None:
    width = -(-len(outline) // _MAX_STEPS)
    starts = np.arange(0, len(outline), width)
    low = np.minimum.reduceat(outline[:, 0], starts)
    high = np.maximum.reduceat(outline[:, 1], starts)
    ax.fill_between((starts + width / 2) * end / len(outline), low, high, color="#57606A", lw=0.3)
    peak = max(float(np.abs(outline).max()), 1e-3)
    ax.set(ylim=(-1.05 * peak, 1.05 * peak), ylabel="waveform")


def _segments(
    ax: Axes, stretches: Sequence[Stretch], colours: Mapping[str, str], scale: float
) -> None:
    for start, end, emotion, is_given in stretches:
        colour = _NO_SPEECH if emotion is None else colours[emotion]
        is_hatched = emotion is not None and not is_given
        ax.axvspan(
            start * scale,
            end * scale,
            facecolor="white" if is_hatched else colour,
            edgecolor=colour,
            hatch="////" if is_hatched else None,
            lw=0.5,
        )
    ax.set(ylim=(0.0, 1.0), yticks=[], ylabel="segments")
    ax.spines["left"].set_visible(False)
