"""A recording of any length: heard from its beginning as often as needed, and never held whole."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ser.data import decoding, limits, speech_activity
from ser.data.decoding import Decoder
from ser.errors import AudioError, AudioInputError
from ser.progress import Progress
from ser.serving.audio_input import InputLimits, shown_path

#: Of the waveform's outline, in seconds.
OUTLINE_STEP_S = 0.05


class Audible(Protocol):
    """What is heard block by block; a `Waveform` is one, and so is a `LongFile`."""

    @property
    def sampling_rate(self) -> int:
        """Its own, in Hz."""

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield its samples from the beginning, mono `(num_samples,)`, full scale is [-1, 1]."""


class LongFile:
    """A recording in a file, decoded anew each time that it is heard.

    Args:
        path: WAV, FLAC, OGG or MP3 file.
        allowed: What it may be; bounds of size and length are passed over.

    Raises:
        AudioInputError: There is no such file, or its header promises nothing usable; names it.
    """

    def __init__(self, path: Path, allowed: InputLimits) -> None:
        self._path, self._allowed = path, allowed.of_any_length()
        with self._opened() as decoder:
            self.sampling_rate = decoder.sampling_rate

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield its samples from the beginning, mono `(num_samples,)`.

        Raises:
            AudioInputError: It is damaged, truncated, too short or silent, or has samples that
                are no numbers; names the file.
        """
        with self._opened() as decoder:
            for block in decoder.blocks():
                # Now, not at the end: whoever hears a long file must not compute with them.
                _check_finite(block, decoder)
                yield block
            rate, peak = decoder.sampling_rate, decoder.peak
            limits.check_speech(decoder.num_samples, rate, peak, self._allowed)

    @contextmanager
    def _opened(self) -> Iterator[Decoder]:
        try:
            with decoding.opened(self._path, self._allowed) as decoder:
                yield decoder
        except AudioError as error:
            raise AudioInputError(f"{shown_path(self._path)}: {error}") from error


def _check_finite(block: NDArray[np.float32], decoder: Decoder) -> None:
    if not np.isfinite(block).all():
        seconds = decoder.num_samples / decoder.sampling_rate
        raise AudioError(f"damaged: samples before {seconds:.1f} s are NaN or infinite")


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a recording once it has been heard to its end, before a model is asked.

    Args:
        num_samples: At its own rate.
        sampling_rate: Its own, in Hz.
        outline: Lowest and highest sample of every 50 ms, `(num_steps, 2)`.
        speech: In which frames of 32 ms somebody speaks, `(num_frames,)`; None where nobody asks.
    """

    num_samples: int
    sampling_rate: int
    outline: NDArray[np.float32]
    speech: NDArray[np.bool_] | None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sampling_rate

    def speech_share(self, start_s: float, end_s: float) -> float | None:
        """Return the share of a stretch in which somebody speaks; None where nobody asks."""
        if self.speech is None:
            return None
        return speech_activity.share(self.speech, start_s=start_s, end_s=end_s)


def survey(sound: Audible, *, listens: bool = True, progress: Progress = iter) -> Survey:
    """Hear a recording to its end: whatever is wrong with it is known before the long work.

    Args:
        sound: The recording.
        listens: Whether anybody asks where somebody speaks.
        progress: Wraps the iteration over blocks.

    Raises:
        AudioInputError: See `LongFile.blocks`.
    """
    outline = _Outline(sound.sampling_rate)
    blocks = outline.drawn(progress(sound.blocks()))
    speech = None
    if listens:
        speech = np.concatenate(list(speech_activity.speech_in_blocks(blocks, sound.sampling_rate)))
    else:
        for _ in blocks:
            pass
    return Survey(outline.num_samples, sound.sampling_rate, outline.table(), speech)


class _Outline:
    """The lowest and highest sample of each step, of blocks that pass by."""

    def __init__(self, sampling_rate: int) -> None:
        self.num_samples = 0
        self._step = max(1, round(OUTLINE_STEP_S * sampling_rate))
        self._rest = np.zeros(0, np.float32)
        self._parts: list[NDArray[np.float32]] = []

    def drawn(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Hand blocks on."""
        for block in blocks:
            self.num_samples += len(block)
            samples = np.concatenate([self._rest, block])
            num_whole = len(samples) // self._step * self._step
            self._add(samples[:num_whole].reshape(-1, self._step))
            self._rest = samples[num_whole:].copy()
            yield block

    def table(self) -> NDArray[np.float32]:
        """Return `(num_steps, 2)`; the last step may be shorter."""
        if len(self._rest):
            self._add(self._rest[np.newaxis])
            self._rest = self._rest[:0]
        return np.concatenate(self._parts) if self._parts else np.zeros((0, 2), np.float32)

    def _add(self, steps: NDArray[np.float32]) -> None:
        self._parts.append(np.stack([steps.min(axis=1), steps.max(axis=1)], axis=1))
