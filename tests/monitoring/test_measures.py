import numpy as np
import pytest

from ser.features import copies
from ser.monitoring import measures
from tests.serving.support import RATE, speech


def spoken(seconds=2.0):
    """Bursts of noise up to 6 kHz with pauses, over a faint background."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(round(seconds * RATE))
    is_on = (np.arange(len(noise)) // (RATE // 5)) % 2 == 0
    return (0.1 * noise * is_on + 1e-4 * rng.standard_normal(len(noise))).astype(np.float32)


def test_the_level_of_a_sine_is_that_of_its_root_mean_square():
    sine = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE).astype(np.float32)
    assert measures.level_dbfs(sine) == pytest.approx(-3.0103, abs=1e-3)
    assert measures.level_dbfs(0.5 * sine) == pytest.approx(-9.031, abs=1e-3)
    assert measures.level_dbfs(np.zeros(10, np.float32)) == -100.0


def test_the_ratio_is_that_of_the_power_of_loud_and_quiet_frames():
    frame = round(0.02 * RATE)
    samples = np.repeat([0.001, 0.1, 0.1, 0.1, 0.001], frame).astype(np.float32)
    assert measures.snr_db(samples, RATE) == pytest.approx(10 * np.log10(1e4 - 1), abs=0.01)


@pytest.mark.parametrize("snr", [5.0, 10.0, 20.0])
def test_noise_is_measured_within_two_decibels(snr):
    clean = spoken()
    power = np.mean(clean[np.abs(clean) > 1e-2] ** 2)
    noise = np.random.default_rng(1).standard_normal(len(clean))
    noisy = clean + np.sqrt(power) * 10 ** (-snr / 20) * noise
    assert measures.snr_db(noisy.astype(np.float32), RATE) == pytest.approx(snr, abs=2.0)


def test_a_telephone_ends_the_band_below_4_khz():
    samples = copies.change_of("telephone")(spoken(), RATE, np.random.default_rng(0))
    before = measures.rolloff_hz(spoken(), RATE)
    assert before > 7000
    assert 3000 < measures.rolloff_hz(samples, RATE) < 4000


@pytest.mark.parametrize(
    "samples",
    [np.zeros(1), np.zeros(5), np.full(RATE, 0.3), np.full(1600, 2.0**31), speech(0.1)],
)
def test_whatever_is_heard_has_finite_measures(samples):
    found = measures.measure(samples.astype(np.float32), RATE)
    assert set(found) == {"level_dbfs", "snr_db", "rolloff_hz"}
    assert np.isfinite(list(found.values())).all()
    assert found["rolloff_hz"] > 0
