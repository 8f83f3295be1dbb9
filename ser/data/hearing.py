"""What training and serving must hear alike: one channel, one rate."""

import numpy as np
import soxr
from numpy.typing import NDArray


def mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over channels `(num_samples,)` of `(num_samples, num_channels)`.

    Samples that are not finite are passed on, for the caller to refuse.
    """
    if samples.shape[1] == 1:
        return samples[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        mean: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
    return mean


def at_rate(
    waveform: NDArray[np.float32], sampling_rate: int, *, wanted: int
) -> NDArray[np.float32]:
    """Return a waveform at another rate, changed by soxr at its quality HQ.

    Args:
        waveform: Mono `(num_samples,)`.
        sampling_rate: Its own, in Hz.
        wanted: The other, in Hz; the waveform itself is returned where they are the same.
    """
    if sampling_rate == wanted:
        return waveform
    resampled: NDArray[np.float32] = soxr.resample(waveform, sampling_rate, wanted, quality="HQ")
    return resampled
