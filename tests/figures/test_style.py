import numpy as np

from ser.figures import confusion, style


def test_files_are_the_same_for_the_same_figure(tmp_path):
    matrix = np.array([[3, 1], [0, 4]])
    for name in ("a", "b"):
        figure = confusion.ConfusionFigure(["angry", "sad"], footer="f").show(matrix, title="t")
        style.save(figure, tmp_path / name)
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
