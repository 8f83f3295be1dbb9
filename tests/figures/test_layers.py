import numpy as np

from ser.figures import layers

FOOT = "corpus demo (SYNTHETIC speech), protocol session"


def test_line_is_the_mean_over_folds_and_the_foot_names_the_corpus():
    rows = [[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]
    drawn = layers.layer_weights({"hubert-focal": rows}, title="Layers", footer=FOOT)
    (line,) = drawn.axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), [0.3, 0.3, 0.4])
    assert [text.get_text() for text in drawn.axes[0].get_legend().get_texts()] == ["hubert-focal"]
    assert drawn.get_supxlabel() == FOOT
