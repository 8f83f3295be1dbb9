import numpy as np

from ser.figures import confusion


def text_of(figure):
    return {text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))}


def test_a_confusion_matrix_shows_shares_and_counts_and_names_its_corpus():
    matrix = np.array([[3, 1], [0, 4]])
    figure = confusion.confusion_matrix(matrix, ["angry", "sad"], title="cell", footer="SYNTHETIC")
    shown = text_of(figure)
    assert {"75%\n3", "25%\n1", "0%\n0", "100%\n4", "cell", "SYNTHETIC"} <= shown
