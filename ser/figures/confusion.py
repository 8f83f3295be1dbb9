"""A confusion matrix: who is taken for whom."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ser.figures import style


def confusion_matrix(
    matrix: NDArray[np.int64], emotions: Sequence[str], *, title: str, footer: str
) -> Figure:
    """Return a confusion matrix: colour and first line are row shares, second line counts.

    Args:
        matrix: Counts `(num_classes, num_classes)`, rows truth.
        emotions: Class names in order.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    size = 2.2 + 0.8 * len(emotions)
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(size + 0.6, size), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        for (row, column), share in np.ndenumerate(shares):
            axes.text(
                column,
                row,
                f"{share:.0%}\n{matrix[row, column]}",
                ha="center",
                va="center",
                color="white" if share > 0.55 else "black",
            )
        ticks = range(len(emotions))
        axes.set_xticks(ticks, emotions, rotation=30 if len(emotions) > 4 else 0)
        axes.set_yticks(ticks, emotions)
        axes.set_xlabel("predicted")
        axes.set_ylabel("spoken")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, shrink=0.8, label="share of the emotion's utterances")
        style.label(figure, title, footer)
    return figure
