"""Figures, as PNG for pages and SVG for papers; each names its corpus in its foot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

#: Okabe & Ito's palette, safe for colour-blind readers.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")

#: Of what stands outside the grid.
FLOOR_COLOUR = "#6E7781"

#: Of every figure, to be used with `matplotlib.rc_context`.
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.grid": False,
    "figure.facecolor": "white",
    "svg.hashsalt": "ser",  # element ids that do not change from run to run
}


def confusion_matrix(
    matrix: NDArray[np.int64], emotions: Sequence[str], *, title: str, foot: str
) -> Figure:
    """Return a confusion matrix: colour and first line are row shares, second line counts.

    Args:
        matrix: Counts `(num_classes, num_classes)`, rows truth.
        emotions: Class names in order.
        title: Above the figure.
        foot: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    size = 2.2 + 0.8 * len(emotions)
    with mpl.rc_context(STYLE):
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
        label(figure, title, foot)
    return figure


def learning_curves(history: pd.DataFrame, *, title: str, foot: str) -> Figure:
    """Return loss and dev UAR over epochs, one thin line per fold and seed.

    Args:
        history: Columns `fold, seed, epoch, train/loss, dev/loss, dev/uar`.
        title: Above the figure.
        foot: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure; a dot marks the epoch that was chosen.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 3.6), layout="constrained")
        loss_axes, uar_axes = figure.subplots(1, 2)
        for _, run in history.groupby(["fold", "seed"]):
            fold = int(run["fold"].iloc[0])
            colour = PALETTE[(fold - 1) % len(PALETTE)]
            epochs = run["epoch"].to_numpy()
            chosen = int(run["dev/uar"].to_numpy().argmax())
            loss_axes.plot(epochs, run["train/loss"], color=colour, lw=1.2)
            loss_axes.plot(epochs, run["dev/loss"], color=colour, lw=1.2, ls="--")
            uar_axes.plot(epochs, run["dev/uar"], color=colour, lw=1.2, label=f"fold {fold}")
            uar_axes.plot(epochs[chosen], run["dev/uar"].iloc[chosen], "o", color=colour, ms=5)
        loss_axes.set(xlabel="epoch", ylabel="loss (line: train, dashes: dev)")
        loss_axes.set_ylim(bottom=0.0)
        uar_axes.set(xlabel="epoch", ylabel="dev UAR (dot: chosen)", ylim=(0.0, 1.0))
        handles, labels = uar_axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        if len(unique) <= len(PALETTE):
            uar_axes.legend(unique.values(), unique.keys(), frameon=False, fontsize=8, ncols=2)
        label(figure, title, foot)
    return figure


def grid_intervals(
    grid: pd.DataFrame, floor: pd.DataFrame, *, chance: float, title: str, foot: str
) -> Figure:
    """Return the cells' UAR with their intervals, best on top, the floor below them in grey.

    Args:
        grid: As in `reports/grid.csv`.
        floor: As in `reports/floor.csv`; may be empty.
        chance: UAR of guessing, drawn as a line.
        title: Above the figure.
        foot: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    scores = ["uar", "uar_low", "uar_high"]
    cells = grid.sort_values("uar", kind="stable")
    below = floor.sort_values("uar", kind="stable")
    names = [
        *("floor: " + below["name"]),
        *(cells["model"] + " × " + cells["loss"]),  # noqa: RUF001
    ]
    uars = np.concatenate([part[scores].to_numpy(dtype=np.float64) for part in (below, cells)])
    colours = [FLOOR_COLOUR] * len(below) + [PALETTE[0]] * len(cells)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 1.3 + 0.36 * len(names)), layout="constrained")
        axes = figure.subplots()
        positions = np.arange(len(names))
        axes.hlines(positions, uars[:, 1], uars[:, 2], color=colours, lw=2)
        axes.scatter(uars[:, 0], positions, c=colours, s=36, zorder=3)
        axes.axvline(chance, color="grey", lw=1, ls=":")
        axes.text(chance, len(names) - 0.45, " chance", color="grey", fontsize=8, va="bottom")
        if len(below):
            axes.axhline(len(below) - 0.5, color="lightgrey", lw=0.8)
        axes.set_yticks(positions, names)
        axes.set(xlim=(0.0, 1.0), ylim=(-0.6, len(names) - 0.1))
        axes.set_xlabel("UAR on unseen speakers' test utterances, 95 % interval over speakers")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        label(figure, title, foot)
    return figure


def foot(card: Mapping[str, Any], split: Mapping[str, Any]) -> str:
    """Return the line below every figure: corpus, protocol, synthetic or real.

    Args:
        card: `data/corpus.json`.
        split: `data/split_report.json`.
    """
    kind = "SYNTHETIC speech" if card["synthetic"] else "real speech"
    speakers = "" if split["speaker_independent"] else ", SPEAKER-DEPENDENT"
    return f"corpus {card['name']} ({kind}), protocol {split['protocol']}{speakers}"


def save(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as `<stem>.png` and `<stem>.svg`, without dates inside.

    Returns:
        Both paths.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    with mpl.rc_context(STYLE):
        figure.savefig(png, dpi=150, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def label(figure: Figure, title: str, foot: str) -> None:
    """Write the title above a figure, and below it its corpus, synthetic or real."""
    figure.suptitle(title, fontsize=12, fontweight="bold")
    figure.supxlabel(foot, fontsize=8, color="dimgrey")
