"""The one style of all figures: colours, title, and how they are saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ser import files

#: Okabe & Ito's palette, safe for colour-blind readers.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")

#: Of what stands outside the grid.
BASELINE_COLOUR = "#6E7781"

#: Of every figure, to be used with `matplotlib.rc_context`.
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.grid": False,
    "figure.facecolor": "white",
    "text.parse_math": False,  # two dollar signs in a name are no formula
    "svg.hashsalt": "ser",  # element ids that do not change from run to run
    "svg.fonttype": "none",  # text stays text: a third of the size, and it can be searched
    # matplotlib brings the first; where it is missing, a drawing asks for one as wide.
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
}


def save(
    figure: Figure,
    stem: Path,
    *,
    formats: Sequence[str] = ("png", "svg"),
    title: str | None = None,
) -> Path:
    """Write a figure as `<stem>.png`, and as `<stem>.svg`, without dates inside.

    Args:
        figure: What to write.
        stem: Where, without a suffix; the folder is made where it is missing.
        formats: Which of the two.
        title: Noted inside the files, for programs; None for none.

    Returns:
        The path of the first.
    """
    named = {} if title is None else {"Title": title}
    metadata = {"png": {"Software": None, **named}, "svg": {"Date": None, **named}}
    paths = [stem.with_suffix(f".{name}") for name in formats]
    with mpl.rc_context(STYLE):
        _lay_out(figure)
        for name, path in zip(formats, paths, strict=True):
            with files.replacing(path) as part:
                figure.savefig(part, format=name, dpi=150, metadata=metadata[name])
    return paths[0]


def _lay_out(figure: Figure) -> None:
    """Place everything once and for all; every format would draw the whole figure for it again."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def label(figure: Figure, title: str, footer: str) -> None:
    """Write the title above a figure, and below it its corpus, synthetic or real.

    What is longer than the figure is wide goes on in a second line.
    """
    figure.suptitle(title, fontsize=12, fontweight="bold", wrap=True)
    figure.supxlabel(footer, fontsize=8, color="dimgrey", wrap=True)
