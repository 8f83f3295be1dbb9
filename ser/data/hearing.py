"""What training and serving must hear alike: a whole recording, one channel, one rate."""

import struct

import numpy as np
import soxr
from numpy.typing import NDArray

#: A WAV written to a pipe cannot know its length; writers then declare about this or more.
_UNKNOWN_BYTES = 0x7FFF0000
#: libsndfile declares the largest number where a header does not know its length.
UNKNOWN_SAMPLES = 1 << 62


def why_truncated(content: bytes, *, num_declared: int, num_read: int) -> str | None:
    """Return why a recording is not whole, or None if it is.

    Args:
        content: The file's bytes.
        num_declared: Samples per channel that its header declares.
        num_read: Samples per channel that were decoded.

    Returns:
        One sentence without its full stop, that begins with `truncated`.
    """
    # libsndfile shortens a WAV that ends early without a word.
    if num_missing := _missing_wav_bytes(content):
        return f"truncated: the header declares {num_missing} more bytes of samples than there are"
    if num_read < num_declared < UNKNOWN_SAMPLES:
        return f"truncated: the header declares {num_declared} samples, there are {num_read}"
    return None


def _missing_wav_bytes(content: bytes) -> int:
    """Return how many declared bytes of samples lie beyond the end of a WAV."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return 0
    position = 12
    while position + 8 <= len(content):
        name, num_bytes = struct.unpack_from("<4sI", content, position)
        position += 8
        if name == b"data":
            present = len(content) - position
            return max(0, num_bytes - present) if num_bytes < _UNKNOWN_BYTES else 0
        position += num_bytes + num_bytes % 2
    return 0


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
