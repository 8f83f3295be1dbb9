"""What speech is sent through: the telephone, and codecs that lose some of it."""

import io
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser.data import hearing
from ser.features.changes._base import Change, Samples, no_value, number, registered

_BAND_HZ = (300.0, 3400.0)
_TELEPHONE_HZ = 8000


_MP3_KBPS = (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160)
_MP3_HZ = (16000, 22050, 24000, 32000, 44100, 48000)
_MP3_DELAY = 1105
"""Samples by which a decoded MP3 is late: 576 of LAME's encoder and 529 of any decoder."""

_OPUS_HZ = (8000, 12000, 16000, 24000, 48000)

_TAIL_S = 0.02
"""Silence behind the recording on its way, so that even one sample makes some at any rate."""

Coded = Callable[[Samples], Samples]
"""A waveform at the rate of a coding -> what is decoded, as long or longer."""


def _sent(waveform: Samples, sampling_rate: int, code: Coded, *, coded_rate: int) -> Samples:
    """Return a waveform coded at another rate and decoded, at its own rate and length."""
    longer = np.pad(waveform, (0, math.ceil(_TAIL_S * sampling_rate)))
    decoded = code(hearing.at_rate(longer, sampling_rate, wanted=coded_rate))
    heard = hearing.at_rate(decoded, coded_rate, wanted=sampling_rate)[: len(waveform)]
    return np.ascontiguousarray(heard)


@registered("telephone", form="telephone, 300 to 3400 Hz and mu-law at 8 kHz")
def _telephone(value: str) -> Change:
    """Return what an analogue line into a digital exchange leaves of speech, at its own rate.

    The band, sampled at 8 kHz and coded as 8-bit mu-law.

    Source:
        ITU-T Recommendation G.712: the band; a Butterworth filter here, 24 dB an octave.
        ITU-T Recommendation G.711: mu-law, as libsndfile codes it.
    """
    no_value(value)

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        return _sent(waveform, sampling_rate, _on_the_line, coded_rate=_TELEPHONE_HZ)

    return change


def _on_the_line(waveform: Samples) -> Samples:
    # scipy.signal is slow to import, and whoever reads a copy's name needs none of it.
    from scipy import signal

    band = signal.butter(4, _BAND_HZ, "bandpass", fs=_TELEPHONE_HZ, output="sos")
    return _mu_law(signal.sosfilt(band, waveform))


def _mu_law(waveform: NDArray[np.floating]) -> Samples:
    # libsndfile looks samples up in a table that ends at full scale.
    limited = np.clip(waveform, -1.0, 1.0)
    return _decoded(limited, _TELEPHONE_HZ, format="WAV", subtype="ULAW")


def _decoded(waveform: NDArray[np.floating], sampling_rate: int, **coding: Any) -> Samples:
    """Return what libsndfile reads of what it has written, at the same rate."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", sampling_rate, 1, **coding) as file:
        file.write(waveform)
    buffer.seek(0)
    decoded: Samples = soundfile.read(buffer, dtype="float32")[0]
    return decoded


@registered("mp3", form="mp3_<kbps>k at a constant bit rate, as mp3_32k")
def _mp3(value: str) -> Change:
    """Return speech after MP3 of LAME at a constant bit rate."""
    kbps = int(number(value, "k", low=_MP3_KBPS[0], high=_MP3_KBPS[-1], what="the bit rate"))
    if value != f"{kbps}k" or kbps not in _MP3_KBPS:
        rates = ", ".join(map(str, _MP3_KBPS))
        raise ValueError(f"MP3 has the bit rates {rates} kbit/s, got {value}")
    # Above 24 kHz there is none below 32 kbit/s.
    rates_hz = [hz for hz in _MP3_HZ if kbps >= 32 or hz <= 24000]

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        rate = _next_rate(sampling_rate, rates_hz)
        return _sent(waveform, sampling_rate, partial(_as_mp3, rate, kbps), coded_rate=rate)

    return change


def _as_mp3(sampling_rate: int, kbps: int, waveform: Samples) -> Samples:
    # libsndfile makes the bit rate of a number in [0, 1] and rounds down, hence the half.
    highest, lowest = (320, 32) if sampling_rate >= 32000 else (160, 8)
    level = max(0.0, (highest - kbps - 0.5) / (highest - lowest))
    coding: dict[str, Any] = {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
    }
    decoded = _decoded(waveform, sampling_rate, compression_level=level, **coding)
    # The frames of a low bit rate are too short for the note of LAME that says where the
    # recording begins and ends; then nothing is cut off when it is read.
    delay = _MP3_DELAY if len(decoded) > len(waveform) else 0
    return decoded[delay : delay + len(waveform)]


@registered("opus", form="opus_<kbps>k with kbps in [6, 256], as opus_16k")
def _opus(value: str) -> Change:
    """Return speech after Opus at a mean bit rate."""
    kbps = number(value, "k", low=6, high=256, what="the bit rate")
    if not kbps.is_integer():
        raise ValueError(f"the bit rate must be a whole number of kbit/s, got {value}")
    # libsndfile makes the bit rate of a number in [0, 1].
    coding: dict[str, Any] = {
        "format": "OGG",
        "subtype": "OPUS",
        "compression_level": (256 - kbps) / 250,
    }

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        rate = _next_rate(sampling_rate, _OPUS_HZ)
        code = partial(_decoded, sampling_rate=rate, **coding)
        return _sent(waveform, sampling_rate, code, coded_rate=rate)

    return change


def _next_rate(sampling_rate: int, rates_hz: Sequence[int]) -> int:
    """Return the lowest rate of a codec that carries all of a recording, else its highest."""
    return next((rate for rate in rates_hz if rate >= sampling_rate), rates_hz[-1])
