"""Where in a recording somebody speaks: Silero's voice activity detector, a small network.

Its weights are part of the package `silero-vad`; nothing is downloaded
(docs/decisions/0027-no-speech.md).
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser.data import hearing

#: What the detector hears: rate in Hz, and samples a frame, which are 32 ms.
SAMPLING_RATE, FRAME_SAMPLES = 16000, 512
#: Probability of speech from which a frame counts; the package's own.
_THRESHOLD = 0.5
#: What the detector hears of the frame before, and numbers in each of its two states.
_CONTEXT_SAMPLES, _STATE_SHAPE = 64, (1, 1, 128)
#: Frames in one call, which are 16 s.
_FRAMES_A_CALL = 512


def speech_frames(waveform: NDArray[np.float32], sampling_rate: int) -> NDArray[np.bool_]:
    """Return in which frames of 32 ms somebody speaks.

    Args:
        waveform: Mono `(num_samples,)`, full scale is [-1, 1].
        sampling_rate: Of the waveform, in Hz.

    Returns:
        `(num_frames,)`, at least one; the last frame may end after the recording.
    """
    return np.concatenate(list(speech_in_blocks([waveform], sampling_rate)))


def speech_in_blocks(
    blocks: Iterable[NDArray[np.float32]], sampling_rate: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield what `speech_frames` gives for the whole, piece by piece.

    Args:
        blocks: Mono `(num_samples,)` each, in order, full scale is [-1, 1].
        sampling_rate: Of the blocks, in Hz.
    """
    session = _detector().session
    heard = hearing.blocks_at_rate(blocks, sampling_rate, wanted=SAMPLING_RATE)
    context = np.zeros(_CONTEXT_SAMPLES, np.float32)
    hidden = cell = np.zeros(_STATE_SHAPE, np.float32)
    for samples in _whole_frames(heard):
        padded = np.concatenate([context, samples])
        frames = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT_SAMPLES + FRAME_SAMPLES)[
            ::FRAME_SAMPLES
        ]
        context = samples[-_CONTEXT_SAMPLES:]
        given = {"input": np.ascontiguousarray(frames), "h": hidden, "c": cell}
        probabilities, hidden, cell = session.run(["speech_probs", "hn", "cn"], given)
        yield probabilities.reshape(-1) >= _THRESHOLD


def _whole_frames(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Yield samples of whole frames, at most of one call; the last frame ends in zeros."""
    size = _FRAMES_A_CALL * FRAME_SAMPLES
    rest, num_heard = np.zeros(0, np.float32), 0
    for block in blocks:
        num_heard += len(block)
        rest = np.concatenate([rest, block])
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if len(rest) or not num_heard:
        num_frames = max(1, -(-len(rest) // FRAME_SAMPLES))
        yield np.pad(rest, (0, num_frames * FRAME_SAMPLES - len(rest)))


def share(frames: NDArray[np.bool_], *, start_s: float, end_s: float) -> float:
    """Return the share of a stretch of time in which somebody speaks, in [0, 1].

    Args:
        frames: Of the whole recording, from `speech_frames`.
        start_s: Where it begins, in seconds, 0 or more; a frame belongs to a stretch by its middle.
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
