import pandas as pd

from ser.figures import learning_curves


def test_learning_curves_mark_the_chosen_epoch_of_every_fold():
    history = pd.DataFrame(
        {
            "fold": [1, 1, 2, 2],
            "seed": 0,
            "epoch": [1, 2, 1, 2],
            "train/loss": [1.0, 0.5, 1.0, 0.6],
            "dev/loss": [1.1, 0.7, 1.2, 0.9],
            "dev/uar": [0.5, 0.4, 0.3, 0.6],
        }
    )
    figure = learning_curves.learning_curves(history, title="cell", footer="footer")
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(1, 0.5), (2, 0.6)]
