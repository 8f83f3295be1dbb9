"""What a model says against what raters said, a panel per dimension."""

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from ser.emotion import DIMENSION_RANGE
from ser.figures import style


def scatter(test: pd.DataFrame, dimensions: Sequence[str], *, title: str, footer: str) -> Figure:
    """Return one dot per test utterance and seed; on the line both say the same.

    Args:
        test: Predictions of the test parts: ratings and predicted ratings.
        dimensions: The panels.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.
    """
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(3.4 * len(dimensions), 3.8), layout="constrained")
        panels = figure.subplots(1, len(dimensions), squeeze=False)[0]
        for axes, dimension in zip(panels, dimensions, strict=True):
            said = test[f"predicted_{dimension}"]
            axes.plot(DIMENSION_RANGE, DIMENSION_RANGE, color="grey", lw=1, ls=":")
            # As pixels: an SVG of a hundred thousand dots opens in no browser.
            axes.scatter(
                test[dimension], said, s=6, alpha=0.3, color=style.PALETTE[0], rasterized=True
            )
            axes.set(xlabel=f"{dimension}, raters", xlim=DIMENSION_RANGE)
        panels[0].set_ylabel("model, points from 1 to 5")
        style.label(figure, title, footer)
    return figure
