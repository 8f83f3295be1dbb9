"""Mean ranks on a line, and bars over those that are not told apart."""

import matplotlib as mpl
from matplotlib.figure import Figure

from ser.evaluation.ranks import Ranking
from ser.figures import style


def critical_difference(ranking: Ranking, *, title: str, footer: str) -> Figure:
    """Return the critical-difference diagram of Demsar (2006), figure 1.

    Args:
        ranking: Of losses over speakers.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure; left is better, a bar joins ranks that are not told apart.
    """
    names, ranks = list(ranking.mean_ranks), ranking.mean_ranks
    with mpl.rc_context(style.STYLE):
        height = 1.9 + 0.28 * len(names)
        figure = Figure(figsize=(8.0, height), layout="constrained")
        axes = figure.subplots()
        for depth, name in enumerate(names):
            level = -1.0 - 0.55 * depth
            axes.plot([ranks[name]] * 2, [0, level], color="grey", lw=0.8)
            axes.plot(ranks[name], 0, "o", color=style.PALETTE[0], ms=6, zorder=3)
            text = f" {name.replace('_', ' ')}  {ranks[name]:.2f}"
            # On white, so that the lines of other losses do not cross it.
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            axes.text(ranks[name] + 0.03, level, text, va="center", fontsize=9, bbox=box)
        for depth, (first, last) in enumerate(ranking.groups()):
            level = 0.45 + 0.3 * depth
            ends = [ranks[first] - 0.03, ranks[last] + 0.03]
            axes.plot(ends, [level] * 2, color=style.PALETTE[1], lw=4, solid_capstyle="butt")
        top = 0.95 + 0.3 * len(ranking.groups())
        axes.plot([1, 1 + ranking.critical_difference], [top] * 2, "|-", color="black", lw=1)
        difference = f" critical difference {ranking.critical_difference:.2f}"
        axes.text(1 + ranking.critical_difference, top, difference, va="center", fontsize=8)
        axes.set(xlim=(0.9, len(names) + 0.6), ylim=(-1.4 - 0.55 * len(names), top + 0.4))
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        axes.set_xticks(range(1, len(names) + 1))
        axes.set_xlabel(f"mean rank over {ranking.num_blocks} speakers, 1 is best")
        style.label(figure, title, footer)
    return figure
