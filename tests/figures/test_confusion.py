import matplotlib.image
import numpy as np

from ser.figures import confusion, style


def text_of(figure):
    return {text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))}


def test_a_confusion_matrix_shows_shares_and_counts_and_names_its_corpus():
    figure = confusion.ConfusionFigure(["angry", "sad"], footer="SYNTHETIC")
    shown = text_of(figure.show(np.array([[3, 1], [0, 4]]), title="cell"))
    assert {"75%\n3", "25%\n1", "0%\n0", "100%\n4", "cell", "SYNTHETIC"} <= shown


def test_one_matrix_after_the_other_is_what_each_is_alone(tmp_path):
    rows = {"one": np.array([[30, 1], [0, 4]]), "two": np.array([[1, 3], [9, 1]])}
    shared = confusion.ConfusionFigure(["angry", "sad"], footer="f")
    for title, matrix in rows.items():
        style.save(shared.show(matrix, title=title), tmp_path / title)
        alone = confusion.ConfusionFigure(["angry", "sad"], footer="f")
        style.save(alone.show(matrix, title=title), tmp_path / "alone" / title)
        pair = [matplotlib.image.imread(tmp_path / at / f"{title}.png") for at in ("", "alone")]
        # The first layout is kept; labels may lie a pixel beside where they would be alone.
        assert np.abs(pair[0] - pair[1]).mean() < 0.02
        assert np.abs(pair[0] - 1.0).mean() > 0.05
