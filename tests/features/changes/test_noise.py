import numpy as np
import pytest

from tests.features.changes.voices import RATE, band_db, changed, power_db, speech

KINDS = ["noise", "pink"]


def noise_in(copy, waveform, **options):
    return changed(copy, waveform, **options).astype(np.float64) - waveform


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr_db", [-5, 0, 10, 20.5])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_snr_is_the_one_in_the_name(kind, snr_db, rate):
    waveform = speech(rate=rate)
    found = changed(f"{kind}_{snr_db:g}db", waveform, rate=rate)
    assert found.dtype == np.float32
    assert len(found) == len(waveform)
    snr = power_db(waveform) - power_db(found.astype(np.float64) - waveform)
    assert snr == pytest.approx(snr_db, abs=0.01)


def test_white_noise_has_equal_power_in_equal_bands_and_pink_in_equal_octaves():
    waveform = speech(20.0)
    white, pink = noise_in("noise_0db", waveform), noise_in("pink_0db", waveform)
    assert band_db(white, 500, 1500) == pytest.approx(band_db(white, 6000, 7000), abs=0.5)
    octaves = [band_db(pink, low, 2 * low) for low in (100, 400, 1600, 3900)]
    assert np.ptp(octaves) < 0.7
    # Without a constant: it would be another change than noise.
    assert abs(np.mean(pink)) < 0.05 * np.std(pink)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_that_of_its_random_numbers(kind):
    first, again, other = (changed(f"{kind}_10db", speech(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first - speech(), other - speech())[0, 1]) < 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_samples", [1, 2, RATE])
def test_digital_silence_stays_what_it_is(kind, num_samples):
    silence = np.zeros(num_samples, np.float32)
    np.testing.assert_array_equal(changed(f"{kind}_10db", silence), silence)
