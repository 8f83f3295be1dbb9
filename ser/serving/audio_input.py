"""What a request may send to be heard, decoded within limits.

Everything here comes from strangers: sizes are checked before memory is taken for them, files go
through the reader of training (`ser.data.decoding`), and whatever is wrong is said in one
sentence.
"""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser.data import decoding, hearing
from ser.data import limits as rules
from ser.data.limits import RecordingLimits
from ser.errors import AudioError, AudioInputError
from ser.serving import sample_table
from ser.wording import MAX_SHOWN, shown

_SHOWN_PATH_CHARS = 255

#: Browsers name the codec too: data:audio/ogg;codecs=opus;base64,
_DATA_URL = re.compile(r"\s*data:[^,]{0,200};base64,")
_WHITE_SPACE = b" \t\r\n\f\v"

#: Mixing and resampling overshoot full scale by a few dB; unscaled integers by tens.
_MAX_MAGNITUDE = 1.5


class InputLimits(RecordingLimits):
    """What one recording of a request may be."""


@dataclass(frozen=True, slots=True)
class Waveform:
    """A usable recording.

    Args:
        samples: Mono `(num_samples,)`, float32, full scale is [-1, 1].
        sampling_rate: Its own, in Hz.
    """

    samples: NDArray[np.float32]
    sampling_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sampling_rate

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples, in one block."""
        yield self.samples


def from_path(path: Path, limits: InputLimits) -> Waveform:
    """Return the recording in a file; see `from_bytes`.

    Raises:
        AudioInputError: There is no such file, or it cannot be used; names the file.
    """
    try:
        return from_bytes(decoding.content_of(path, limits), limits)
    except (AudioError, AudioInputError) as error:
        raise AudioInputError(f"{shown_path(path)}: {error}") from error


def from_base64(text: object, limits: InputLimits) -> Waveform:
    """Return the recording in base64 of its bytes; see `from_bytes`.

    Args:
        text: Standard base64; white space and the head of a data URL are passed over.
        limits: What it may be.

    Raises:
        AudioInputError: Not text, not base64, or the recording cannot be used.
    """
    if not isinstance(text, str):
        raise AudioInputError(
            f"audio must be text, the base64 of a recording's bytes; got {shown(text)}"
        )
    # Base64 takes four characters for three bytes; the rest is left for white space.
    if len(text) > 2 * limits.max_bytes:
        with _as_input():
            rules.check_size(len(text) * 3 // 4, limits)
    head = _DATA_URL.match(text)
    try:
        body = text[head.end() if head else 0 :].encode("ascii").translate(None, _WHITE_SPACE)
        content = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise AudioInputError(
            f"audio must be the base64 of a recording's bytes; {shown(text)} is not base64"
        ) from error
    return from_bytes(content, limits)


def from_bytes(content: bytes, limits: InputLimits) -> Waveform:
    """Decode a recording, as training does.

    Args:
        content: The bytes of a file of `ser.data.containers.KNOWN`.
        limits: What it may be.

    Raises:
        AudioInputError: Empty, too large, not audio, truncated, longer or shorter than
            allowed, silent, or with samples that are no numbers.
    """
    with _as_input():
        samples, decoder = decoding.decode(content, limits)
        rules.check_speech(len(samples), decoder.sampling_rate, decoder.peak, limits)
    return Waveform(samples, decoder.sampling_rate)


def from_samples(samples: object, sampling_rate: object, limits: InputLimits) -> Waveform:
    """Take samples as they are.

    Args:
        samples: Numbers `(num_samples,)` or `(num_channels, num_samples)`, full scale is
            [-1, 1]; up to 1.5 is taken for overshoot, above for unscaled integers.
        sampling_rate: In Hz.
        limits: What they may be.

    Raises:
        AudioInputError: Not such numbers, or not usable.
    """
    rate = sample_table.rate_of(sampling_rate)
    rows = sample_table.rows_of(samples)
    with _as_input():
        rules.check_rate(rate, limits)
        # Before the rows are looked into, there may be a billion of them.
        rules.check_channels(len(rows), limits)
        num_samples = sample_table.length_of(rows)
        # Before the numbers are copied: an array may be a view that repeats one of them.
        rules.check_longest(num_samples, rate, limits)
        table = sample_table.table_of(rows)
        # Channel by channel: the mean may hide what is wrong with each.
        _check_finite(table)
        decoding.check_scale(_peak(table), _MAX_MAGNITUDE)
        mono = hearing.mono(table.T.astype(np.float32))
        rules.check_speech(num_samples, rate, _peak(mono), limits)
    return Waveform(np.ascontiguousarray(mono), rate)


def to_rate(waveform: Waveform, sampling_rate: int) -> NDArray[np.float32]:
    """Return the samples at another rate, as `ser.data.audio.read` changes it.

    Args:
        waveform: At its own rate.
        sampling_rate: Wanted, in Hz.

    Returns:
        Mono `(num_samples,)`.
    """
    return hearing.at_rate(waveform.samples, waveform.sampling_rate, wanted=sampling_rate)


@contextmanager
def _as_input() -> Iterator[None]:
    """Turn what is wrong with any recording into what is wrong with this request."""
    try:
        yield
    except AudioError as error:
        raise AudioInputError(str(error)) from error


def _check_finite(samples: NDArray[Any]) -> None:
    if num_bad := samples.size - int(np.count_nonzero(np.isfinite(samples))):
        raise AudioInputError(f"damaged: {num_bad} of {samples.size} samples are NaN or infinite")


def _peak(samples: NDArray[Any]) -> float:
    """Return the largest magnitude."""
    return max(float(samples.max()), -float(samples.min()))


def shown_path(path: Path) -> str:
    """Return a path for a message, in one line."""
    text = "".join(character if character.isprintable() else "?" for character in str(path))
    return text if len(text) <= _SHOWN_PATH_CHARS else f"...{text[-MAX_SHOWN:]}"
