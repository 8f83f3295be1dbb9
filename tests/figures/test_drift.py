import numpy as np

from ser.figures import drift


def drawn(values, *, is_log=False):
    percentiles = np.linspace(1.0, 11.0, 101)
    panels = [("level", percentiles, np.asarray(values, float), is_log)]
    figure = drift.distributions(panels, {"sad": (0.25, 1.0)}, title="t", footer="f")
    return [ax for ax in figure.axes if ax.get_visible()]


def test_both_histograms_hold_all_recordings_over_the_same_bins():
    ax, _ = drawn([20.0, 20.0, 1.0])
    before, now = (patch.get_data() for patch in ax.patches)
    np.testing.assert_allclose(before.edges, now.edges)
    assert before.values.sum() == now.values.sum() == 1.0
    assert before.edges[[0, -1]].tolist() == [1.0, 20.0]
    assert now.values[-1] == 2 / 3


def test_shares_stand_beside_each_other():
    _, ax = drawn([3.0])
    assert [bar.get_height() for bar in ax.patches] == [0.25, 1.0]


def test_a_ratio_has_a_logarithmic_axis():
    ax, _ = drawn([3.0, 4.0], is_log=True)
    assert ax.get_xscale() == "log"
