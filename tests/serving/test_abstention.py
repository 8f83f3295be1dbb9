import numpy as np
import pytest

from ser.registry.bundle import Hearing
from ser.serving import abstention
from ser.serving.abstention import HeardSpeech

NONE, UNLIKE = "no speech", "unlike anything in training"


def limits(**changed):
    values = {"min_speech_share": 0.25, "min_familiarity": 0.02}
    return Hearing(**{**values, **changed}, compared_with="dev", num_compared=60)


@pytest.mark.parametrize(
    ("speech_share", "familiarity", "reason"),
    [
        (1.0, 0.5, None),
        (0.25, 0.5, None),
        (0.24, 0.5, NONE),
        (0.0, 1.0, NONE),
        (1.0, 0.02, UNLIKE),
        (1.0, 0.021, None),
        (0.1, 0.01, NONE),
        (None, None, None),
    ],
)
def test_a_stretch_is_refused_below_its_limits(speech_share, familiarity, reason):
    assert abstention.refusal(HeardSpeech(speech_share, familiarity), limits()) == reason


def test_a_bundle_without_limits_refuses_nothing():
    assert abstention.refusal(HeardSpeech(0.0, 0.001), None) is None


def test_limits_of_zero_refuse_nothing():
    off = limits(min_speech_share=0.0, min_familiarity=0.0)
    assert abstention.refusal(HeardSpeech(0.0, 0.001), off) is None


@pytest.mark.parametrize("name", ["min_speech_share", "min_familiarity"])
def test_a_higher_limit_refuses_no_less(name):
    heard = [HeardSpeech(*pair) for pair in np.random.default_rng(0).uniform(0.001, 1, (200, 2))]
    counts = [
        sum(abstention.refusal(one, limits(**{name: limit})) is not None for one in heard)
        for limit in np.linspace(0, 0.99, 12)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize(
    ("refusals", "speaking"),
    [
        ([None, NONE, None, UNLIKE], [0, 2]),
        ([NONE, UNLIKE, UNLIKE], [1, 2]),
        ([NONE, NONE], [0, 1]),
        ([UNLIKE], [0]),
    ],
)
def test_windows_with_known_speech_speak_for_the_whole(refusals, speaking):
    assert abstention.speaking_windows(refusals) == speaking


def test_the_familiarity_of_several_windows_is_their_mean():
    heard = [HeardSpeech(1.0, 0.2), HeardSpeech(1.0, 0.6)]
    assert abstention.mean_familiarity(heard) == pytest.approx(0.4)
    assert abstention.mean_familiarity([HeardSpeech()]) is None
