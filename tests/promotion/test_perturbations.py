import numpy as np
import pytest

from ser.promotion.perturbations import PERTURBATIONS, noisy, quieter, telephone, trimmed

RATE = 16000


def tone(hz, seconds=1.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def power(samples):
    return float(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_each_change_gives_float32_within_full_scale_and_the_same_again(name):
    samples = np.clip(3 * tone(440), -1, 1)
    changed, rate = PERTURBATIONS[name](samples, RATE)
    again, _ = PERTURBATIONS[name](samples, RATE)
    assert changed.dtype == np.float32
    assert np.abs(changed).max() <= 1.0
    assert np.array_equal(changed, again)
    assert len(changed) / rate == pytest.approx(1.0, abs=0.01)


def test_quieter_is_half_the_amplitude():
    changed, _ = quieter(tone(440), RATE)
    assert 10 * np.log10(power(changed) / power(tone(440))) == pytest.approx(-6.0)


def test_noise_lies_30_db_below():
    changed, _ = noisy(tone(440), RATE)
    noise = power(changed - tone(440))
    assert 10 * np.log10(power(tone(440)) / noise) == pytest.approx(30.0, abs=0.2)


@pytest.mark.parametrize(
    ("hz", "passes"), [(100, False), (1000, True), (3900, False), (6000, False)]
)
def test_a_telephone_lets_its_band_through(hz, passes):
    changed, rate = telephone(tone(hz), RATE)
    assert rate == 8000
    loss_db = 10 * np.log10(power(changed[2000:]) / power(tone(hz)))
    assert (loss_db > -1.0) if passes else (loss_db < -10.0)


def test_silence_at_both_ends_is_cut_and_none_within():
    silence = np.zeros(RATE // 2, np.float32)
    speech = np.concatenate([tone(440, 0.5), silence, tone(440, 0.5)])
    changed, _ = trimmed(np.concatenate([silence, speech, silence]), RATE)
    assert len(changed) / RATE == pytest.approx(1.5, abs=0.15)


def test_what_would_leave_nothing_is_left_whole():
    click = np.zeros(RATE, np.float32)
    click[8000] = 1.0
    samples = click[6000:7400]
    assert len(trimmed(samples, RATE)[0]) == len(samples)
