import pandas as pd
import pytest

from ser.evaluation.robustness import COLUMNS
from ser.figures import stability

FOOT = "corpus demo (SYNTHETIC speech), protocol session"
SHARES = {
    ("lstm", "label_smoothing"): {"clean": 1.0, "telephone": 0.873, "noise_20db": 0.424},
    ("hubert", "aam"): {"clean": 1.0, "speed_0.9": 0.996},
}


@pytest.fixture
def figure():
    rows = [
        {"model": model, "loss": loss, "copy": copy, "stability": share}
        for (model, loss), of_copy in SHARES.items()
        for copy, share in of_copy.items()
    ]
    scores = pd.DataFrame(rows, columns=list(COLUMNS))
    return stability.stability_map(scores, title="stability", footer=FOOT)


def test_every_square_stands_at_its_cell_and_copy_and_clean_has_no_column(figure):
    axes = figure.axes[0]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert columns == ["white\nnoise\n20 dB", "speed\n0.9", "telephone"]
    assert rows == ["lstm × label smoothing", "hubert × aam"]  # noqa: RUF001
    shown = {text.get_text(): text.get_position() for text in axes.texts}
    # What the feature of a cell does not have is a gap.
    assert shown == {"42": (0, 0), "87": (2, 0), "100": (1, 1)}


def test_the_figure_names_its_corpus(figure):
    assert figure.get_supxlabel() == FOOT
