import math

import numpy as np
import pytest
from scipy.stats import norm

from ser.evaluation.stability import stability
from ser.evaluation.statistics import share_interval


def measured(*same_of_asked):
    """Speakers, of whose utterances so many of so many keep their emotion."""
    before, after, speakers = [], [], []
    for number, (same, asked) in enumerate(same_of_asked):
        before += ["angry"] * asked
        after += ["angry"] * same + ["sad"] * (asked - same)
        speakers += [f"s{number}"] * asked
    return stability(np.array(before), np.array(after), np.array(speakers))


def test_it_is_the_share_of_all_utterances():
    share, _ = measured((4, 4), (0, 2))
    assert share == pytest.approx(4 / 6)


def test_the_interval_is_that_of_a_share_over_speakers():
    asked = [(4, 4), (3, 4), (2, 4), (4, 4)]
    share, interval = measured(*asked)
    same, of = np.array(asked, float).T
    assert interval == share_interval(same, of)
    assert interval.low < share < interval.high


def test_where_nothing_changes_the_interval_still_has_a_width():
    share, interval = measured((8, 8), (8, 8), (8, 8))
    assert (share, interval.high) == (1.0, 1.0)
    assert interval.low == pytest.approx(24 / (24 + norm.ppf(0.975) ** 2))


def test_seeds_ask_about_the_same_utterances():
    before, after = np.array(["sad"] * 24), np.array(["sad"] * 22 + ["angry"] * 2)
    speakers = np.array([f"s{n}" for n in range(6)] * 4)
    once = stability(before, after, speakers)
    repeated = (np.tile(values, 3) for values in (before, after, speakers))
    assert stability(*repeated, num_seeds=3) == once


def test_utterances_of_one_speaker_make_no_interval():
    share, interval = measured((3, 4))
    assert share == 0.75
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
