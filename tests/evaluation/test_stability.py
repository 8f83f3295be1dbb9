import math

import numpy as np
import pytest

from ser.evaluation.stability import stability


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


def test_of_two_speakers_the_interval_reaches_from_the_worse_to_the_better():
    # Each is drawn twice in a quarter of all resamples, far more than 2.5 %.
    _, interval = measured((4, 4), (1, 2))
    assert (interval.low, interval.high) == (0.5, 1.0)


def test_the_interval_is_that_of_drawn_speakers():
    # How often the last is among four drawn is binomial: four times in 0.4 % of all resamples,
    # three times or more in 5.1 %, never in 31.6 %.
    _, interval = measured((2, 2), (2, 2), (2, 2), (0, 2))
    assert (interval.low, interval.high) == (0.25, 1.0)


def test_utterances_of_one_speaker_make_no_interval():
    share, interval = measured((3, 4))
    assert share == 0.75
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
