import numpy as np
import pytest

from tests.features.changes.voices import RATE, changed, power_db, speech


def impulse(duration_s, rate=RATE):
    waveform = np.zeros(round(duration_s * rate), np.float32)
    waveform[0] = 1.0
    return waveform


def decay_time_s(response, rate=RATE):
    """RT60 by Schroeder's backward integration, from the decay between -5 and -25 dB."""
    left = np.cumsum(np.square(response, dtype=np.float64)[::-1])[::-1]
    decay_db = 10 * np.log10(left / left[0])
    # Behind the direct sound, which is half of the energy.
    chosen = (decay_db < -5) & (decay_db > -25)
    slope, _ = np.polyfit(np.flatnonzero(chosen) / rate, decay_db[chosen], 1)
    return -60 / slope


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.2])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_room_decays_by_60_db_in_the_time_of_its_name(seconds, rate):
    response = changed(f"reverb_{seconds:g}s", impulse(2.0, rate), rate=rate)
    assert decay_time_s(response, rate) == pytest.approx(seconds, rel=0.1)


def test_direct_sound_comes_at_once_with_half_of_the_energy():
    response = changed("reverb_0.5s", impulse(1.0))
    assert response.argmax() == 0
    assert response[0] ** 2 / np.sum(response**2) == pytest.approx(0.5, abs=0.01)


def test_length_and_power_stay():
    found = changed("reverb_0.4s", speech())
    assert found.dtype == np.float32
    assert found.shape == speech().shape
    assert power_db(found) == pytest.approx(power_db(speech()), abs=0.01)
    assert np.abs(found - speech()).max() > 0.01


@pytest.mark.parametrize("num_samples", [1, 5, 8000])
def test_silence_in_a_room_is_silence(num_samples):
    assert not changed("reverb_0.4s", np.zeros(num_samples, np.float32)).any()


def test_each_seed_is_a_room():
    first, again, other = (changed("reverb_0.4s", speech(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
