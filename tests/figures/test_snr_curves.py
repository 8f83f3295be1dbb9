import numpy as np
import pandas as pd
import pytest

from ser.evaluation.robustness import COLUMNS
from ser.figures import snr_curves, style

FOOT = "corpus demo (SYNTHETIC speech), protocol session"
UARS = {
    ("lstm", "focal"): {"clean": 0.9, "noise_20db": 0.8, "noise_0db": 0.4, "telephone": 0.7},
    ("lstm", "aam"): {"clean": 0.8, "noise_20db": 0.7, "noise_0db": 0.5},
    ("hubert", "aam"): {"clean": 0.6, "pink_10db": 0.5, "pink_5db": 0.3},
}


TITLE = "UAR under noise, of cells trained on clean recordings alone"


def scores_of(uars):
    rows = [
        {"model": model, "loss": loss, "copy": copy, "uar": uar, "uar_low": uar - 0.1,
         "uar_high": uar + 0.05}
        for (model, loss), of_copy in uars.items()
        for copy, uar in of_copy.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture
def figure():
    scores = scores_of(UARS)
    return snr_curves.snr_curves(scores, chance=0.25, title="noise", footer=FOOT)


def test_the_legend_stands_beside_the_title_and_not_on_it(tmp_path):
    levels = {"clean": 0.9, "noise_20db": 0.8, "noise_0db": 0.4}
    narrow = {("lstm", "label_smoothing"): levels}
    figure = snr_curves.snr_curves(scores_of(narrow), chance=0.25, title=TITLE, footer=FOOT)
    style.save(figure, tmp_path / "figure")
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(figure._suptitle.get_window_extent())


def points(axes):
    """The lines of a panel but that of chance."""
    _, *lines = axes.lines
    return [list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in lines]


def test_a_line_rises_to_clean_at_the_right_end(figure):
    lstm_noise = figure.axes[0]
    assert lstm_noise.get_title() == "white noise"
    assert points(lstm_noise) == [
        [(0.0, 0.4), (20.0, 0.8), (40.0, 0.9)],
        [(0.0, 0.5), (20.0, 0.7), (40.0, 0.8)],
    ]
    labels = [label.get_text() for label in lstm_noise.get_xticklabels()]
    assert labels == ["0", "20", "clean"]


def test_a_model_without_a_kind_of_noise_has_a_panel_that_says_so(figure):
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert said == [[], ["no such copies"], ["no such copies"], []]
    assert points(figure.axes[3]) == [[(5.0, 0.3), (10.0, 0.5), (15.0, 0.6)]]


def test_a_line_that_is_alone_has_its_interval(figure):
    assert [len(axes.collections) for axes in figure.axes] == [0, 0, 0, 1]
    (band,) = figure.axes[3].collections
    heights = band.get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose((heights.min(), heights.max()), (0.2, 0.65))


def test_a_loss_has_one_colour_in_all_panels_and_the_foot_names_the_corpus(figure):
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["focal", "aam"]
    colours = [line.get_color() for line in legend.get_lines()]
    assert [line.get_color() for line in figure.axes[0].lines[1:]] == colours
    assert figure.axes[3].lines[1].get_color() == colours[1]
    assert figure.get_supxlabel() == FOOT
