"""Where in a recording somebody speaks: Silero's voice activity detector, a small network.

Its weights are part of the package `silero-vad`; nothing is downloaded
(docs/decisions/0027-no-speech.md).
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser.data import hearing

#: What the detector hears: rate in Hz, and samples a frame, which are 32 ms.
SAMPLING_RATE, FRAME_SAMPLES = 16000, 512
#: Probability of speech from which a frame counts; the package's own.
_THRESHOLD = 0.5


def speech_frames(waveform: NDArray[np.float32], sampling_rate: int) -> NDArray[np.bool_]:
    """Return in which frames of 32 ms somebody speaks.

    Args:
        waveform: Mono `(num_samples,)`, full scale is [-1, 1].
        sampling_rate: Of the waveform, in Hz.

    Returns:
        `(num_frames,)`, at least one; the last frame may end after the recording.
    """
    heard = hearing.at_rate(waveform, sampling_rate, wanted=SAMPLING_RATE)
    samples = np.ascontiguousarray(heard if len(heard) else np.zeros(1), dtype=np.float32)
    probabilities: NDArray[np.float32] = _detector().audio_forward(samples)
    return probabilities >= _THRESHOLD


def share(frames: NDArray[np.bool_], *, start_s: float, end_s: float) -> float:
    """Return the share of a stretch of time in which somebody speaks, in [0, 1].

    Args:
        frames: Of the whole recording, from `speech_frames`.
        start_s: Where it begins, in seconds; a frame belongs to a stretch by its middle.
        end_s: Where it ends.

    Example:
        >>> share(np.array([True, True, False, False]), start_s=0.0, end_s=0.128)
        0.5
        >>> share(np.array([True, True, False, False]), start_s=0.0, end_s=0.064)
        1.0
    """
    frames_a_second = SAMPLING_RATE / FRAME_SAMPLES
    first = min(round(start_s * frames_a_second), len(frames) - 1)
    last = max(round(end_s * frames_a_second), first + 1)
    return float(frames[first:last].mean())


def load() -> None:
    """Load the detector now, so that no recording has to wait for it."""
    _detector()


@cache
def _detector() -> Any:
    """Return the detector; it keeps no state between recordings."""
    import torch

    num_threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    # NOTE: importing the package sets torch to one thread, for the whole process.
    torch.set_num_threads(num_threads)
    return load_silero_vad(sequence=True)
