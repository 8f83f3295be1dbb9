import numpy as np
import pandas as pd

from ser.evaluation import figures


def text_of(figure):
    return {text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))}


def test_a_confusion_matrix_shows_shares_and_counts_and_names_its_corpus():
    matrix = np.array([[3, 1], [0, 4]])
    figure = figures.confusion_matrix(matrix, ["angry", "sad"], title="cell", foot="SYNTHETIC")
    shown = text_of(figure)
    assert {"75%\n3", "25%\n1", "0%\n0", "100%\n4", "cell", "SYNTHETIC"} <= shown


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
    figure = figures.learning_curves(history, title="cell", foot="foot")
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(1, 0.5), (2, 0.6)]


def test_the_floor_is_drawn_below_the_cells_and_apart_from_them():
    scores = ["uar", "uar_low", "uar_high"]
    grid = pd.DataFrame([[0.6, 0.5, 0.7], [0.4, 0.3, 0.5]], columns=scores)
    grid = grid.assign(model="lstm", loss=["focal", "aam"])
    floor = pd.DataFrame([[0.55, 0.45, 0.65]], columns=scores).assign(name="svm")
    figure = figures.grid_intervals(grid, floor, chance=0.25, title="t", foot="f")
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["floor: svm", "lstm × aam", "lstm × focal"]  # noqa: RUF001
    lines, dots = axes.collections
    assert dots.get_offsets()[:, 0].tolist() == [0.55, 0.4, 0.6]
    assert [line[:, 0].tolist() for line in lines.get_segments()] == [
        [0.45, 0.65],
        [0.3, 0.5],
        [0.5, 0.7],
    ]
    below, *cells = dots.get_facecolors().tolist()
    assert below not in cells
    nothing = figures.grid_intervals(grid, floor.head(0), chance=0.25, title="t", foot="f")
    assert len(nothing.axes[0].get_yticklabels()) == 2


def test_files_are_the_same_for_the_same_figure(tmp_path):
    matrix = np.array([[3, 1], [0, 4]])
    for name in ("a", "b"):
        figure = figures.confusion_matrix(matrix, ["angry", "sad"], title="t", foot="f")
        figures.save(figure, tmp_path / name)
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
