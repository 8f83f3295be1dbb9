"""What speech is sent through: the telephone."""

import io
import math
from collections.abc import Callable

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser.data import hearing
from ser.features.changes._base import Change, Samples, no_value, registered

_BAND_HZ = (300.0, 3400.0)
_TELEPHONE_HZ = 8000


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
    coded = io.BytesIO()
    soundfile.write(coded, limited, _TELEPHONE_HZ, format="WAV", subtype="ULAW")
    coded.seek(0)
    decoded: Samples = soundfile.read(coded, dtype="float32")[0]
    return decoded
