"""The heat map of the grid."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from ser.figures import heat_map, style

CELLS = pd.DataFrame(
    [
        ["lstm", "focal", 0.7, 0.6, 0.8, True],
        ["lstm", "aam", 0.5, np.nan, np.nan, False],
        ["hubert", "focal", 0.4, 0.3, 0.45, False],
    ],
    columns=["model", "loss", "uar", "uar_low", "uar_high", "tied_with_best"],
)


def drawn():
    return heat_map.heat_map(
        CELLS,
        models=["lstm", "hubert"],
        losses=["focal", "aam"],
        origins={"lstm": "from scratch", "hubert": "random weights (seed 1)"},
        chance=0.25,
        title="grid",
        footer="SYNTHETIC",
    )


def texts(axes):
    return {text.get_text(): text.get_position() for text in axes.texts}


def test_every_square_stands_at_its_model_and_loss():
    axes = drawn().axes[0]
    shown = texts(axes)
    column = {name: place[0] for name, place in shown.items()}
    row = {name: round(place[1]) for name, place in shown.items()}
    assert (row["70.0"], column["70.0"]) == (0, 0)
    assert (row["50.0"], column["50.0"]) == (0, 1)
    assert (row["40.0"], column["40.0"]) == (1, 0)
    assert (row["not trained"], column["not trained"]) == (1, 1)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "lstm\n(from scratch)",
        "hubert\n(random weights\n(seed 1))",
    ]


def test_intervals_are_written_where_they_are_known():
    shown = texts(drawn().axes[0])
    assert "60.0 to 80.0" in shown
    assert not any("nan" in text for text in shown)


def test_only_what_is_not_told_apart_is_framed():
    frames = [patch.get_xy() for patch in drawn().axes[0].patches]
    assert np.round(frames).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("losses", [["label_smoothing"], ["label_smoothing", "cross_entropy"]])
def test_nothing_is_cut_of_a_grid_of_one_model(tmp_path, losses):
    rows = [("wav2vec2", loss, 0.5, 0.4, 0.6, True) for loss in losses]
    figure = heat_map.heat_map(
        pd.DataFrame(rows, columns=CELLS.columns),
        models=["wav2vec2"],
        losses=losses,
        origins={"wav2vec2": "facebook/wav2vec2-base@0123abcd"},
        chance=0.25,
        title="UAR of every model with every loss; framed: not told apart from the best",
        footer="corpus emodb (real speech), protocol random, SPEAKER-DEPENDENT; refitted: "
        "wav2vec2-label_smoothing, wav2vec2-cross_entropy; transductive: wav2vec2-focal",
    )
    style.save(figure, tmp_path / "figure")
    written = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    for text in written:
        box = text.get_window_extent()
        for inside in (box.x0 >= 0, box.y0 >= 0, *(box.max <= figure.bbox.max)):
            assert inside, text.get_text()


def test_the_figure_names_its_corpus():
    assert drawn().get_supxlabel() == "SYNTHETIC"
