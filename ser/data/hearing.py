"""What training and serving must hear alike: one channel, one rate."""

from collections.abc import Iterable, Iterator

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


def blocks_at_rate(
    blocks: Iterable[NDArray[np.float32]], sampling_rate: int, *, wanted: int
) -> Iterator[NDArray[np.float32]]:
    """Yield blocks at another rate: together, to the bit, what `at_rate` makes of the whole.

    Args:
        blocks: Mono `(num_samples,)` each, in order.
        sampling_rate: Their own, in Hz.
        wanted: The other, in Hz.
    """
    if sampling_rate == wanted:
        yield from blocks
        return
    changer = soxr.ResampleStream(sampling_rate, wanted, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield changer.resample_chunk(block)
    yield changer.resample_chunk(np.zeros(0, np.float32), last=True)


def num_at_rate(num_samples: int, sampling_rate: int, *, wanted: int) -> int:
    """Return how many samples `at_rate` makes of so many.

    Example:
        >>> num_at_rate(3, 44100, wanted=22050)
        2
    """
    return (2 * num_samples * wanted + sampling_rate) // (2 * sampling_rate)
