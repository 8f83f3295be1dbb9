import pandas as pd

from ser.figures import intervals


def test_the_baselines_are_drawn_below_the_cells_and_apart_from_them():
    scores = ["uar", "uar_low", "uar_high"]
    grid = pd.DataFrame([[0.6, 0.5, 0.7], [0.4, 0.3, 0.5]], columns=scores)
    grid = grid.assign(model="lstm", loss=["focal", "aam"])
    baselines = pd.DataFrame([[0.55, 0.45, 0.65]], columns=scores).assign(name="svm")
    figure = intervals.grid_intervals(grid, baselines, chance=0.25, title="t", footer="f")
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["baseline: svm", "lstm × aam", "lstm × focal"]  # noqa: RUF001
    lines, dots = axes.collections
    assert dots.get_offsets()[:, 0].tolist() == [0.55, 0.4, 0.6]
    assert [line[:, 0].tolist() for line in lines.get_segments()] == [
        [0.45, 0.65],
        [0.3, 0.5],
        [0.5, 0.7],
    ]
    below, *cells = dots.get_facecolors().tolist()
    assert below not in cells
    nothing = intervals.grid_intervals(grid, baselines.head(0), chance=0.25, title="t", footer="f")
    assert len(nothing.axes[0].get_yticklabels()) == 2
