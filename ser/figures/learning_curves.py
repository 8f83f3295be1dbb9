"""Loss and dev score over epochs, all folds and seeds of a cell."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from ser.figures import style


def learning_curves(history: pd.DataFrame, *, title: str, footer: str) -> Figure:
    """Return loss and dev UAR over epochs, one thin line per fold and seed.

    Args:
        history: Columns `fold, seed, epoch, train/loss, dev/loss, dev/uar`; of a cell without
            classes `dev/ccc` in place of the last.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure; a dot marks the epoch that was chosen.
    """
    score = "dev/uar" if "dev/uar" in history else "dev/ccc"
    low = min(0.0, float(history[score].min()))
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(9.0, 3.6), layout="constrained")
        loss_axes, uar_axes = figure.subplots(1, 2)
        for _, run in history.groupby(["fold", "seed"]):
            fold = int(run["fold"].iloc[0])
            colour = style.PALETTE[(fold - 1) % len(style.PALETTE)]
            epochs = run["epoch"].to_numpy()
            chosen = int(run[score].to_numpy().argmax())
            loss_axes.plot(epochs, run["train/loss"], color=colour, lw=1.2)
            loss_axes.plot(epochs, run["dev/loss"], color=colour, lw=1.2, ls="--")
            uar_axes.plot(epochs, run[score], color=colour, lw=1.2, label=f"fold {fold}")
            uar_axes.plot(epochs[chosen], run[score].iloc[chosen], "o", color=colour, ms=5)
        loss_axes.set(xlabel="epoch", ylabel="loss (line: train, dashes: dev)")
        loss_axes.set_ylim(bottom=0.0)
        uar_axes.set(
            xlabel="epoch", ylabel=f"dev {score[4:].upper()} (dot: chosen)", ylim=(low, 1.0)
        )
        handles, labels = uar_axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        if len(unique) <= len(style.PALETTE):
            uar_axes.legend(unique.values(), unique.keys(), frameon=False, fontsize=8, ncols=2)
        style.label(figure, title, footer)
    return figure
