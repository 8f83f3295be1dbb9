import itertools

import numpy as np
import pytest
import soundfile
from scipy import signal

from ser.features.changes import channel
from tests.features.changes.voices import band_db, changed, power_db, speech, tone


def g711(sample):
    """What G.711 makes of a sample of 14 bits: its segment, 16 steps in each, and back."""
    biased = min(abs(sample), 8158) + 33
    segment = biased.bit_length() - 6
    step = biased >> (segment + 1) & 0xF
    magnitude = ((2 * step + 33) << segment) - 33
    return magnitude if sample >= 0 else -magnitude


def test_mu_law_is_that_of_g711():
    assert [g711(sample) for sample in (0, 1, 30, 31, 95, 4063, -8191)] == [
        *(0, 2, 30, 33, 99, 4191, -8031)  # from the tables of the recommendation
    ]
    samples = np.arange(-8191, 8192)
    expected = np.array([g711(int(sample)) for sample in samples]) / 8192
    found = channel._mu_law(samples / 8192)
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_mu_law_ends_at_full_scale():
    np.testing.assert_array_equal(
        channel._mu_law(np.array([1.0, 1.7, -1.0, -30.0])),
        np.array([8031, 8031, -8031, -8031], np.float32) / 8192,
    )


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_the_telephone_passes_its_band_alone(rate):
    def gain_db(hz):
        waveform = 0.3 * tone(hz, rate=rate)
        return power_db(changed("telephone", waveform, rate=rate)) - power_db(waveform)

    assert gain_db(1000) == pytest.approx(0.0, abs=0.3)
    assert gain_db(300) == pytest.approx(-3.0, abs=0.5)
    assert gain_db(3400) == pytest.approx(-3.0, abs=0.5)
    assert gain_db(100) < -30


def test_nothing_is_left_above_what_8_khz_can_carry():
    rng = np.random.default_rng(0)
    white = 0.1 * rng.normal(size=32000).astype(np.float32)
    found = changed("telephone", white)
    assert band_db(found, 4100, 8000) < band_db(found, 300, 3400) - 50
    assert band_db(white, 4100, 8000) > band_db(white, 300, 3400)


@pytest.mark.parametrize("num_samples", [1, 2, 7, 1601, 15999])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_telephone_keeps_length_and_time(num_samples, rate):
    waveform = 0.1 * np.random.default_rng(0).normal(size=num_samples).astype(np.float32)
    found = changed("telephone", waveform, rate=rate)
    assert found.dtype == np.float32
    assert found.shape == waveform.shape
    assert np.isfinite(found).all()
    if num_samples > 5000:
        lag = np.correlate(found, waveform, "full").argmax() - (num_samples - 1)
        assert abs(lag) < 0.0005 * rate


def test_silence_on_the_line_is_silence():
    assert not changed("telephone", np.zeros(8000, np.float32)).any()


CODECS = ["mp3_16k", "mp3_32k", "mp3_160k", "opus_12k", "opus_64k"]


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("copy", CODECS)
def test_codecs_keep_length_and_time(copy, rate):
    waveform = speech(1.1, rate=rate)
    found = changed(copy, waveform, rate=rate)
    assert found.dtype == np.float32
    assert found.shape == waveform.shape
    # What a codec keeps at any bit rate lies below 3 kHz.
    band = signal.butter(4, 3000, fs=rate, output="sos")
    low, heard = signal.sosfiltfilt(band, waveform), signal.sosfiltfilt(band, found)
    lag = signal.correlate(heard, low).argmax() - (len(low) - 1)
    assert abs(lag) <= max(1, rate / 16000)
    # Much less where it is late by a millisecond: this noise has no pitch.
    assert np.corrcoef(low, heard)[0, 1] > 0.5


@pytest.mark.parametrize("codec", [("mp3_16k", "mp3_64k", "mp3_160k"), ("opus_8k", "opus_64k")])
def test_a_higher_bit_rate_loses_less(codec):
    waveform = speech()
    losses = [power_db(changed(copy, waveform) - waveform) for copy in codec]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] - losses[-1] > 3
    assert losses[-1] < power_db(waveform) - 15


def test_mp3_has_the_bit_rate_of_its_name(monkeypatch):
    sizes = []
    read = soundfile.read
    monkeypatch.setattr(
        channel.soundfile,
        "read",
        lambda file, **options: (sizes.append(len(file.getvalue())), read(file, **options))[1],
    )
    for rate, kbps in itertools.product((16000, 24000, 48000), (32, 48, 96, 160)):
        changed(f"mp3_{kbps}k", speech(10.0, rate=rate), rate=rate)
        assert sizes[-1] * 8 / 10.0 == pytest.approx(1000 * kbps, rel=0.03)


@pytest.mark.parametrize("copy", ["mp3_32k", "opus_16k"])
@pytest.mark.parametrize("num_samples", [1, 100, 16000])
def test_codecs_give_the_same_bytes_again_and_silence_for_silence(copy, num_samples):
    waveform = speech(3.0)[3000 : 3000 + num_samples]
    np.testing.assert_array_equal(changed(copy, waveform), changed(copy, waveform))
    assert np.abs(changed(copy, np.zeros(num_samples, np.float32))).max() < 1e-4
