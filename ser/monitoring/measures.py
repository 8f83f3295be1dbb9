"""What can be measured of a recording without any model: loudness, noise, bandwidth.

They are meant for comparison: the same recording gives the same numbers in training and in
serving. None of them is a calibrated instrument.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal

_FRAME_S = 0.02
#: Digital silence, in dB relative to full scale: 16 bit reach down to about -96.
_FLOOR_DBFS = -100.0
#: Shares of the frames, ordered by power, at which background and speech are read.
_BACKGROUND, _SPEECH = 0.1, 0.95
#: Beyond these, what is measured is rounding.
_SNR_RANGE_DB = (-10.0, 80.0)
_ROLLOFF_SHARE = 0.99
_WINDOW_S = 0.032


def measure(samples: NDArray[np.float32], sampling_rate: int) -> dict[str, float]:
    """Return everything that is measured of a recording's samples.

    Args:
        samples: Mono `(num_samples,)`, at least one; full scale is [-1, 1].
        sampling_rate: In Hz. Compare only what was measured at one rate.

    Returns:
        `level_dbfs`, `snr_db` and `rolloff_hz`.
    """
    return {
        "level_dbfs": level_dbfs(samples),
        "snr_db": snr_db(samples, sampling_rate),
        "rolloff_hz": rolloff_hz(samples, sampling_rate),
    }


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """Return the root mean square over the whole recording, in dB relative to full scale.

    Returns:
        -100 at least, as for digital silence.

    Example:
        >>> round(level_dbfs(np.full(8, 0.1, np.float32)), 3)
        -20.0
    """
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(_FLOOR_DBFS, 10.0 * math.log10(max(power, 1e-30)))


def snr_db(samples: NDArray[np.float32], sampling_rate: int) -> float:
    """Return an estimate of the ratio of speech to background noise, in dB.

    The frames of 20 ms are ordered by their power. The background is the power at the lower
    tenth, speech with background the power at 95 %. It needs pauses, or at least weak sounds:
    without any it is too low. Unlike an estimate from the distribution of amplitudes
    (WADA-SNR), it works on one second of speech.

    Args:
        samples: Mono `(num_samples,)`.
        sampling_rate: In Hz.

    Returns:
        In [-10, 80].

    Source:
        The National Institute of Standards and Technology's tool `stnr` (SPQA 2.3, 1994) reads
        speech at the 95th percentile of the power of 20 ms frames; Stahl, Fischer & Bippus
        (2000), "Quantile based noise estimation for spectral subtraction and Wiener
        filtering", ICASSP: noise as a low quantile over time.
    """
    length = max(1, min(len(samples), round(_FRAME_S * sampling_rate)))
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    powers = np.mean(np.square(frames, dtype=np.float64), axis=1)
    background, speech = np.quantile(powers, [_BACKGROUND, _SPEECH])
    low, high = _SNR_RANGE_DB
    floor = 10.0 ** (_FLOOR_DBFS / 10.0)
    background = max(float(background), floor)
    clean = max(float(speech) - background, 10.0 ** (low / 10.0) * background)
    return float(np.clip(10.0 * math.log10(clean / background), low, high))


def rolloff_hz(samples: NDArray[np.float32], sampling_rate: int) -> float:
    """Return the frequency below which 99 % of the pre-emphasised power lies, in Hz.

    Pre-emphasis (differences of neighbouring samples) lifts what little power speech has at
    high frequencies; without it the vowels decide. Telephone speech ends at 3.4 kHz.

    Args:
        samples: Mono `(num_samples,)`.
        sampling_rate: In Hz.

    Returns:
        In (0, sampling_rate / 2]; the lowest band for a constant.
    """
    difference = np.diff(samples.astype(np.float64), prepend=float(samples[0]))
    length = min(len(samples), round(_WINDOW_S * sampling_rate))
    frequencies, power = signal.welch(difference, sampling_rate, nperseg=length)
    cumulated = np.cumsum(power)
    first = int(np.searchsorted(cumulated, _ROLLOFF_SHARE * cumulated[-1]))
    return float(frequencies[max(1, first)] if len(frequencies) > 1 else sampling_rate / 2)
