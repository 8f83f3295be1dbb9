import numpy as np
import pytest
from scipy import signal

from tests.features.changes.voices import RATE, changed, pitch_of, tone


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


@pytest.mark.parametrize("semitones", [-12, -3, 2, 0.5, 12])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_pitch_moves_by_its_semitones_and_length_stays(semitones, rate):
    waveform = 0.5 * tone(440.0, rate=rate)
    found = changed(f"pitch_{semitones:g}st", waveform, rate=rate)
    assert found.dtype == np.float32
    assert len(found) == len(waveform)
    assert pitch_of(found, rate) == pytest.approx(440.0 * 2 ** (semitones / 12), rel=2e-3)


@pytest.mark.parametrize("num_samples", [1, 40, 511, 3000])
def test_pitch_of_very_short_or_silent_recordings_is_finite(num_samples):
    for waveform in (np.zeros(num_samples, np.float32), tone(440.0)[:num_samples]):
        found = changed("pitch_2st", waveform)
        assert found.shape == waveform.shape
        assert np.isfinite(found).all()
    assert not changed("pitch_2st", np.zeros(num_samples, np.float32)).any()


def test_trimmed_keeps_what_lies_between_the_first_and_the_last_loud_frame():
    # 20 dB below the peak is speech, 40 dB below is silence.
    levels = [1e-2] * 8000 + [1.0] * 4000 + [1e-2] * 4000 + [0.1] * 4000 + [1e-2] * 8000
    waveform = tone(440.0, len(levels) / RATE) * np.float32(levels)
    found = changed("trimmed", waveform)
    assert len(found) == pytest.approx(12000, abs=2 * 400)
    start = next(n for n in range(6000, 9000) if np.array_equal(waveform[n:][: len(found)], found))
    assert start == pytest.approx(8000, abs=400)


@pytest.mark.parametrize(
    "waveform", [np.zeros(16000, np.float32), tone(440.0) * (np.arange(16000) < 500)]
)
def test_trimmed_leaves_what_would_be_too_short_for_speech(waveform):
    np.testing.assert_array_equal(changed("trimmed", waveform.astype(np.float32)), waveform)
