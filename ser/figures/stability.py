"""How many decisions stay under a change: one square per cell and copy."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ser import components
from ser.evaluation import robustness
from ser.figures import style

#: Below it all squares have one colour; that few decisions stay under hardly any change.
_LOWEST = 50.0


def stability_map(scores: pd.DataFrame, *, title: str, footer: str) -> Figure:
    """Return the share of decisions that stay as under `clean`, in percent.

    Args:
        scores: As in `reports/robustness.csv`; the cells stand in its order. A copy that the
            feature of a cell does not have leaves a gap.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure, without a column for `clean`.
    """
    names = scores["model"] + " × " + scores["loss"]  # noqa: RUF001
    changed = scores.assign(cell=names)[scores["copy"] != robustness.CLEAN]
    copies = robustness.in_order(changed["copy"])
    cells = list(dict.fromkeys(changed["cell"]))
    shares = changed.pivot_table(index="cell", columns="copy", values="stability")
    values = 100 * shares.reindex(index=cells, columns=copies).to_numpy(dtype=np.float64)
    with mpl.rc_context(style.STYLE):
        size = 3.2 + 0.85 * len(copies), 2.0 + 0.34 * len(cells)
        figure = Figure(figsize=(max(size[0], 7.2), size[1]), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, cmap="YlGnBu", vmin=_LOWEST, vmax=100, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                colour = "white" if value > 0.5 * (100 + _LOWEST) + 5 else "black"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour)
        axes.set_xticks(range(len(copies)), [_label(copy) for copy in copies])
        axes.set_yticks(range(len(cells)), [components.in_words(cell) for cell in cells])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
        figure.colorbar(image, ax=axes, shrink=0.9, extend="min", label="%")
        style.label(figure, title, footer)
    return figure


def _label(copy: str) -> str:
    """Return a copy's name in lines of a word or two."""
    change = robustness.parse_copy(copy)
    return "\n".join([*change.name.split(), *([change.level_text] if change.level_text else [])])
