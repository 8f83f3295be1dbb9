import numpy as np

from ser.data import hearing


def test_one_channel_is_itself_and_two_are_averaged():
    one = np.arange(4, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(hearing.mono(one), one[:, 0])
    two = np.array([[1, 3], [np.inf, -np.inf], [np.inf, 1]], dtype=np.float32)
    np.testing.assert_array_equal(hearing.mono(two), np.float32([2, np.nan, np.inf]))


def test_another_rate_has_as_many_samples_as_it_lasts_and_the_same_pitch():
    rate, pitch_hz = 48_000, 440.0
    waveform = np.sin(2 * np.pi * pitch_hz * np.arange(rate) / rate).astype(np.float32)
    assert hearing.at_rate(waveform, rate, wanted=rate) is waveform
    slower = hearing.at_rate(waveform, rate, wanted=16_000)
    assert slower.dtype == np.float32
    assert len(slower) == 16_000
    assert int(np.abs(np.fft.rfft(slower)).argmax()) == pitch_hz
