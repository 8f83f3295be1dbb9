import numpy as np
import pytest
from pydantic import ValidationError
from scipy import signal

from ser.features import copies
from ser.features.extractors import logmel, mfcc
from ser.features.extractors._base import copies_of
from ser.params import ComponentParams
from tests import synthetic

RATE = 16000


def changed(copy, waveform):
    """What a copy's change makes of a waveform."""
    return copies.change_of(copy)(waveform, RATE, np.random.default_rng(0))


def tone(hz, duration_s=1.0):
    return np.sin(2 * np.pi * hz * np.arange(round(duration_s * RATE)) / RATE).astype(np.float32)


def pitch_of(waveform):
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), 1 << 20))
    return spectrum.argmax() * RATE / (1 << 20)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.37, 2.0])
def test_at_another_speed_length_and_frequency_scale_by_the_factor(factor):
    fast = changed(f"speed_{factor}", tone(440.0))
    assert fast.dtype == np.float32
    assert len(fast) == pytest.approx(RATE / factor, abs=1)
    assert pitch_of(fast) == pytest.approx(440.0 * factor, rel=1e-4)
    assert np.abs(fast[200:-200]).max() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("factor", "up", "down"), [("0.9", 10, 9), ("1.1", 10, 11)])
def test_speed_equals_the_resampling_of_another_library(factor, up, down):
    rng = np.random.default_rng(0)
    # Below 4 kHz, where no resampler's own filter is heard.
    speech = sum(tone(hz) * rng.normal() for hz in (110.0, 430.0, 1270.0, 3550.0))
    expected = signal.resample_poly(speech.astype(np.float64), up, down, window=("kaiser", 12.0))
    found = changed(f"speed_{factor}", speech.astype(np.float32))
    inner = slice(500, min(len(found), len(expected)) - 500)
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-3 * np.abs(expected).max())


def test_clean_is_the_recording_as_it_is():
    waveform = tone(200.0)
    assert changed("clean", waveform) is waveform


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        ("sped_0.9", r"no copy is named 'sped_0\.9'; there are: clean; speed_<factor>.*speed_0\.9"),
        ("speed", r"'speed': expected a factor such as 0\.9 or 1\.1, got ''"),
        ("speed_fast", "got 'fast'"),
        ("speed_-1.1", "got '-1.1'"),
        ("speed_1e0", "got '1e0'"),
        ("speed_../x", "got '../x'"),
        ("speed_0.49", r"the factor must be in \[0\.5, 2\.0\], got 0\.49"),
        ("speed_2.1", r"the factor must be in \[0\.5, 2\.0\], got 2\.1"),
        ("speed_1.0", "a factor of 1 changes nothing; clean is that copy"),
        ("speed_0.90", "write the factor as 0.9"),
        ("speed_2", "write the factor as 2.0"),
    ],
)
def test_a_name_that_says_no_change_is_refused_with_what_there_is(copy, message):
    with pytest.raises(ValueError, match=message):
        copies.change_of(copy)


def test_random_numbers_are_those_of_corpus_utterance_and_copy():
    def first(copy="speed_0.9", id_="u1", **changes):
        return copies.rng_of(synthetic.utterance(id_, **changes), copy).random()

    assert first() == first()
    assert len({first(), first("speed_1.1"), first(id_="u2"), first(corpus="other")}) == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["speed_0.9"], "clean must be among them: dev, test and serving read it"),
        (["clean", "speed_0.9", "speed_0.9"], "a copy is named twice"),
        (["clean", "echo_3"], "no copy is named 'echo_3'; there are: clean; speed_<factor>"),
    ],
)
def test_params_that_ask_for_no_such_copies_are_refused(names, message):
    with pytest.raises(ValidationError, match=message):
        mfcc.Params(copies=names)


def test_copies_are_no_part_of_what_made_the_frames_of_one():
    plain, asked = logmel.Params(), logmel.Params(copies=["speed_0.9", "clean"])
    assert asked.model_dump(mode="json") == plain.model_dump(mode="json") == {}
    assert copies_of(plain) == copies_of(ComponentParams()) == ("clean",)
    assert copies_of(asked) == ("clean", "speed_0.9")
