"""A confusion matrix: who is taken for whom."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ser.figures import style


class ConfusionFigure:
    """A figure for one confusion matrix after the other; its layout is made once.

    Colour and first line of a cell are shares of its row, the second line is the count.

    Args:
        emotions: Class names in order.
        footer: Below the figure: corpus, protocol, synthetic or real.
    """

    def __init__(self, emotions: Sequence[str], *, footer: str) -> None:
        size = 2.2 + 0.8 * len(emotions)
        with mpl.rc_context(style.STYLE):
            self._figure = Figure(figsize=(size + 0.6, size), layout="constrained")
            axes = self._figure.subplots()
            none = np.zeros((len(emotions), len(emotions)))
            self._image = axes.imshow(none, cmap="Blues", vmin=0.0, vmax=1.0)
            self._texts = [
                axes.text(column, row, "100%\n0", ha="center", va="center")
                for row, column in np.ndindex(none.shape)
            ]
            ticks = range(len(emotions))
            axes.set_xticks(ticks, emotions, rotation=30 if len(emotions) > 4 else 0)
            axes.set_yticks(ticks, emotions)
            axes.set_xlabel("predicted")
            axes.set_ylabel("spoken")
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0)
            label = "share of the emotion's utterances"
            self._figure.colorbar(self._image, ax=axes, shrink=0.8, label=label)
        self._footer = footer

    def show(self, matrix: NDArray[np.int64], *, title: str) -> Figure:
        """Return the figure with a confusion matrix in it, until the next one is shown.

        Args:
            matrix: Counts `(num_classes, num_classes)`, rows truth.
            title: Above the figure.
        """
        shares = matrix / matrix.sum(axis=1, keepdims=True)
        self._image.set_data(shares)
        for text, share, count in zip(self._texts, shares.flat, matrix.flat, strict=True):
            text.set_text(f"{share:.0%}\n{count}")
            text.set_color("white" if share > 0.55 else "black")
        style.label(self._figure, title, self._footer)
        return self._figure
