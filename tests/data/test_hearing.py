import struct

import numpy as np
import pytest

from ser.data import hearing


def wav(num_declared_bytes, num_bytes):
    """A WAV whose header declares so many bytes of samples, and which holds so many."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    data = b"data" + struct.pack("<I", num_declared_bytes) + bytes(num_bytes)
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(data)) + b"WAVE" + form + data


@pytest.mark.parametrize(
    ("content", "num_declared", "num_read", "reason"),
    [
        (wav(200, 200), 100, 100, None),
        (wav(200, 150), 75, 75, "50 more bytes of samples"),
        (wav(0xFFFFFFFF, 200), 100, 100, None),  # written to a pipe
        (b"OggS", 100, 99, "declares 100 samples, there are 99"),
        (b"OggS", hearing.UNKNOWN_SAMPLES, 99, None),
        (b"OggS", 100, 100, None),
        (b"RIFF", 100, 100, None),
    ],
)
def test_a_recording_is_whole_if_it_holds_what_its_header_declares(
    content, num_declared, num_read, reason
):
    found = hearing.why_truncated(content, num_declared=num_declared, num_read=num_read)
    if reason is None:
        assert found is None
    else:
        assert found.startswith("truncated: ")
        assert reason in found


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
