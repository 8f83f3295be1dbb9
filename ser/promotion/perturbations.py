"""Small changes of a recording that leave its emotion to any listener."""

from collections.abc import Callable, Mapping

import librosa
import numpy as np
import soxr
from scipy import signal

from ser.features.changes._base import Samples

_GAIN_DB = -6.0
_SNR_DB = 30.0
_BAND_HZ = (300.0, 3400.0)
_TELEPHONE_HZ = 8000
_SILENCE_DB = 30.0


def quieter(samples: Samples, sampling_rate: int) -> tuple[Samples, int]:
    """Return the recording 6 dB quieter."""
    return (samples * np.float32(10 ** (_GAIN_DB / 20))).astype(np.float32), sampling_rate


def noisy(samples: Samples, sampling_rate: int) -> tuple[Samples, int]:
    """Return the recording with white noise 30 dB below its power; the same noise each time."""
    noise = np.random.default_rng(len(samples)).standard_normal(len(samples))
    scale = np.sqrt(np.mean(np.square(samples, dtype=np.float64))) * 10 ** (-_SNR_DB / 20)
    loud = samples + scale * noise
    return np.clip(loud, -1.0, 1.0).astype(np.float32), sampling_rate


def telephone(samples: Samples, sampling_rate: int) -> tuple[Samples, int]:
    """Return what a telephone lets through: 300 to 3400 Hz, at 8 kHz.

    Source:
        ITU-T Recommendation G.712: the band; a fourth-order Butterworth filter here.
    """
    at_8k = soxr.resample(samples, sampling_rate, _TELEPHONE_HZ, quality="HQ")
    band = signal.butter(4, _BAND_HZ, "bandpass", fs=_TELEPHONE_HZ, output="sos")
    filtered = np.clip(signal.sosfilt(band, at_8k), -1.0, 1.0)
    return filtered.astype(np.float32), _TELEPHONE_HZ


def trimmed(samples: Samples, sampling_rate: int) -> tuple[Samples, int]:
    """Return the recording without what is 30 dB below its peak at both ends."""
    speech, _ = librosa.effects.trim(samples, top_db=_SILENCE_DB)
    return (speech if len(speech) >= sampling_rate // 10 else samples), sampling_rate


PERTURBATIONS: Mapping[str, Callable[[Samples, int], tuple[Samples, int]]] = {
    "quieter by 6 dB": quieter,
    "noise at 30 dB": noisy,
    "telephone band": telephone,
    "silence trimmed": trimmed,
}
