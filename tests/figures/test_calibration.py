"""Reliability and abstention, drawn."""

import numpy as np
import pandas as pd

from ser.figures import calibration


def drawn():
    before = pd.DataFrame(
        {"confidence": [0.3, np.nan, 0.9], "accuracy": [0.2, np.nan, 0.5]},
    ).assign(num_utterances=[10, 0, 30])
    after = before.assign(confidence=[0.3, np.nan, 0.5])
    abstention = pd.DataFrame({"coverage": [1.0, 0.5], "accuracy": [0.6, 0.8], "uar": [0.5, 0.7]})
    return calibration.reliability(before, after, abstention, title="cell", footer="REAL")


def test_empty_bins_are_left_out_and_full_ones_stand_where_they_belong():
    left, _ = drawn().axes
    _, before, after = left.lines
    assert before.get_xydata().tolist() == [[0.3, 0.2], [0.9, 0.5]]
    assert after.get_xydata().tolist() == [[0.3, 0.2], [0.5, 0.5]]


def test_a_dot_grows_with_the_share_of_its_bin():
    left, _ = drawn().axes
    small, large = left.collections[0].get_sizes()
    assert (large - 15) / (small - 15) == 3


def test_the_abstention_curve_and_the_corpus_are_shown():
    figure = drawn()
    _, right = figure.axes
    assert right.lines[0].get_xydata().tolist() == [[1.0, 0.6], [0.5, 0.8]]
    assert right.lines[1].get_xydata().tolist() == [[1.0, 0.5], [0.5, 0.7]]
    assert figure.get_supxlabel() == "REAL"
