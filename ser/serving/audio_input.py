"""What a request may send to be heard, decoded within limits.

Everything here comes from strangers: sizes are checked before memory is taken for them, a
recording is decoded block by block and dropped as soon as it is longer than allowed, and
whatever is wrong is said in one sentence.
"""

import base64
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ser.data import hearing
from ser.errors import AudioInputError
from ser.params import Section
from ser.serving import sample_table
from ser.serving.sample_table import SHOWN_CHARS, shortened

_BLOCK_SAMPLES = 1 << 16
_SHOWN_PATH_CHARS = 255

#: Browsers name the codec too: data:audio/ogg;codecs=opus;base64,
_DATA_URL = re.compile(r"\s*data:[^,]{0,200};base64,")
_WHITE_SPACE = b" \t\r\n\f\v"

#: Mixing and resampling overshoot full scale by a few dB; unscaled integers by tens.
_MAX_MAGNITUDE = 1.5
#: Training reads what a file holds, even unscaled integers; no recording has more than these,
#: and the power of a damaged float sample would overflow in the features.
_MAX_FILE_MAGNITUDE = 2.0**31


class InputLimits(Section):
    """What one recording may be.

    Args:
        max_bytes: Encoded size; 32 MiB hold ten minutes of mono at 16 bit and 27 kHz.
        max_duration_s: A conversation, not an archive; bounds the time of an answer.
        min_duration_s: Shorter is less than a syllable.
        max_channels: Of a microphone array; channels are averaged.
        min_sampling_rate, max_sampling_rate: In Hz; below a telephone's rate there is no
            speech left, above studio rates nothing is recorded.
        silence_dbfs: A recording whose peak is below is refused as silent, in dB relative
            to full scale, as corpora are: a model would answer something about its noise.
    """

    max_bytes: int = Field(32 * 2**20, ge=1024)
    max_duration_s: float = Field(600.0, gt=0.0, le=3600.0)
    min_duration_s: float = Field(0.1, ge=0.01)
    max_channels: int = Field(8, ge=1, le=64)
    min_sampling_rate: int = Field(4000, ge=1000)
    max_sampling_rate: int = Field(192000, le=768000)
    silence_dbfs: float = Field(-70.0, le=0.0)

    @model_validator(mode="after")
    def _consistent(self) -> "InputLimits":
        if self.min_duration_s > self.max_duration_s:
            raise ValueError(
                f"min_duration_s {self.min_duration_s:g} must not exceed max_duration_s "
                f"{self.max_duration_s:g}"
            )
        if self.min_sampling_rate > self.max_sampling_rate:
            raise ValueError(
                f"min_sampling_rate {self.min_sampling_rate} must not exceed max_sampling_rate "
                f"{self.max_sampling_rate}"
            )
        return self


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


def from_path(path: Path, limits: InputLimits) -> Waveform:
    """Return the recording in a file; see `from_bytes`.

    Raises:
        AudioInputError: There is no such file, or it cannot be used; names the file.
    """
    try:
        return from_bytes(_file_content(path, limits), limits)
    except OSError as error:
        raise AudioInputError(f"{_shown(path)}: cannot be opened ({error.strerror})") from error
    except AudioInputError as error:
        raise AudioInputError(f"{_shown(path)}: {error}") from error


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
            f"audio must be text, the base64 of a recording's bytes; got {shortened(text)}"
        )
    # Base64 takes four characters for three bytes; the rest is left for white space.
    if len(text) > 2 * limits.max_bytes:
        raise AudioInputError(_too_large(len(text) * 3 // 4, limits))
    head = _DATA_URL.match(text)
    try:
        body = text[head.end() if head else 0 :].encode("ascii").translate(None, _WHITE_SPACE)
        content = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise AudioInputError(
            f"audio must be the base64 of a recording's bytes; {shortened(text)} is not base64"
        ) from error
    return from_bytes(content, limits)


def from_bytes(content: bytes, limits: InputLimits) -> Waveform:
    """Decode a recording.

    An OGG that was cut between two pages is a whole, shorter recording.

    Args:
        content: The bytes of a WAV, FLAC, OGG or MP3 file.
        limits: What it may be.

    Raises:
        AudioInputError: Empty, too large, not audio, truncated, longer or shorter than
            allowed, silent, or with samples that are no numbers.
    """
    if len(content) > limits.max_bytes:
        raise AudioInputError(_too_large(len(content), limits))
    if not content:
        raise AudioInputError("empty: the recording has 0 bytes")
    if content.startswith(b"version https://git-lfs"):
        raise AudioInputError("not audio: a Git LFS pointer; `git lfs pull` fetches the recording")
    try:
        with _Stream(_Content(content)) as stream:
            sampling_rate, num_declared = int(stream.samplerate), int(stream.frames)
            _check_rate(sampling_rate, limits)
            _check_channels(int(stream.channels), limits)
            samples = _decode(stream, sampling_rate, limits)
    except soundfile.SoundFileError as error:
        # Its str() shows the address of our buffer, and nothing that helps.
        raise AudioInputError(
            "not audio, or damaged: expected a whole WAV, FLAC, OGG or MP3 file"
        ) from error
    # libsndfile shortens a WAV that ends early without a word.
    if reason := hearing.why_truncated(content, num_declared=num_declared, num_read=len(samples)):
        raise AudioInputError(f"{reason}; send the whole file")
    waveform = _checked(samples, sampling_rate, limits)
    _check_scale(waveform.samples, _MAX_FILE_MAGNITUDE)
    return waveform


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
    _check_rate(rate, limits)
    rows = sample_table.rows_of(samples)
    _check_channels(len(rows), limits)
    num_samples = sample_table.length_of(rows)
    # Before the numbers are copied: an array may be a view that repeats one of them.
    if num_samples > limits.max_duration_s * rate:
        raise AudioInputError(_too_long(num_samples, rate, limits))
    table = sample_table.table_of(rows)
    # Channel by channel: the mean may hide what is wrong with each.
    _check_finite(table)
    _check_scale(table, _MAX_MAGNITUDE)
    return _checked(hearing.mono(table.T.astype(np.float32)), rate, limits)


def to_rate(waveform: Waveform, sampling_rate: int) -> NDArray[np.float32]:
    """Return the samples at another rate, as `ser.data.audio.read` changes it.

    Args:
        waveform: At its own rate.
        sampling_rate: Wanted, in Hz.

    Returns:
        Mono `(num_samples,)`.
    """
    return hearing.at_rate(waveform.samples, waveform.sampling_rate, wanted=sampling_rate)


class _Content(io.BytesIO):
    """Bytes whose decoder may look before the beginning, as damaged headers make it do."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to the beginning instead: an error here would be printed, with its traceback."""
        try:
            return super().seek(offset, whence)
        except ValueError:
            return super().seek(0)


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A recording that is read from front to back."""

    def seekable(self) -> bool:
        """Return False: soundfile would seek after each block, which disturbs MP3's decoder."""
        return False


def _file_content(path: Path, limits: InputLimits) -> bytes:
    """Return the bytes of a regular file that is not too large."""
    if not path.exists():
        raise AudioInputError("there is no such file")
    if not path.is_file():
        raise AudioInputError("not a file")
    if (num_bytes := path.stat().st_size) > limits.max_bytes:
        raise AudioInputError(_too_large(num_bytes, limits))
    with path.open("rb") as file:
        return file.read(limits.max_bytes + 1)  # it may have grown since


def _decode(stream: _Stream, sampling_rate: int, limits: InputLimits) -> NDArray[np.float32]:
    """Return the mean over channels `(num_samples,)`, decoded only as far as is allowed.

    The header is not believed: a few bytes can declare, or decode to, hours of silence.
    """
    most = math.ceil(limits.max_duration_s * sampling_rate)
    if most < stream.frames < hearing.UNKNOWN_SAMPLES:
        raise AudioInputError(_too_long(stream.frames, sampling_rate, limits))
    blocks = [np.zeros(0, np.float32)]
    total = 0
    while len(block := stream.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)):
        total += len(block)
        if total > most:
            raise AudioInputError(_too_long(total, sampling_rate, limits))
        # Averaged at once: eight channels would take eight times the memory.
        blocks.append(hearing.mono(block))
    return np.concatenate(blocks)


def _check_rate(sampling_rate: int, limits: InputLimits) -> None:
    if not limits.min_sampling_rate <= sampling_rate <= limits.max_sampling_rate:
        raise AudioInputError(
            f"sampling rate {shortened(sampling_rate)} Hz; {limits.min_sampling_rate} to "
            f"{limits.max_sampling_rate} Hz are answered, resample it"
        )


def _check_channels(num_channels: int, limits: InputLimits) -> None:
    if not 1 <= num_channels <= limits.max_channels:
        raise AudioInputError(
            f"{num_channels} channels; 1 to {limits.max_channels} are answered, send them apart"
        )


def _checked(samples: NDArray[np.float32], sampling_rate: int, limits: InputLimits) -> Waveform:
    """Return samples `(num_samples,)` as a waveform, if they can be used."""
    if len(samples) == 0:
        raise AudioInputError("empty: the recording holds no samples")
    duration_s = len(samples) / sampling_rate
    if duration_s < limits.min_duration_s:
        raise AudioInputError(
            f"too short: {duration_s:.4f} s; at least {limits.min_duration_s:g} s are needed"
        )
    _check_finite(samples)
    peak = _peak(samples)
    peak_dbfs = 20.0 * math.log10(peak) if peak > 0.0 else -math.inf
    if peak_dbfs < limits.silence_dbfs:
        raise AudioInputError(
            f"silent: its peak is {peak_dbfs:.1f} dBFS; at least {limits.silence_dbfs:g} dBFS is "
            f"needed"
        )
    return Waveform(np.ascontiguousarray(samples), sampling_rate)


def _check_finite(samples: NDArray[Any]) -> None:
    if num_bad := samples.size - int(np.count_nonzero(np.isfinite(samples))):
        raise AudioInputError(f"damaged: {num_bad} of {samples.size} samples are NaN or infinite")


def _check_scale(samples: NDArray[Any], max_magnitude: float) -> None:
    if (peak := _peak(samples)) > max_magnitude:
        raise AudioInputError(
            f"samples reach {peak:g}, but full scale is [-1, 1]; divide 16-bit integers by 32768"
        )


def _peak(samples: NDArray[Any]) -> float:
    """Return the largest magnitude."""
    return max(float(samples.max()), -float(samples.min()))


def _shown(path: Path) -> str:
    """Return a path for a message, in one line."""
    text = "".join(character if character.isprintable() else "?" for character in str(path))
    return text if len(text) <= _SHOWN_PATH_CHARS else f"...{text[-SHOWN_CHARS:]}"


def _too_large(num_bytes: int, limits: InputLimits) -> str:
    return (
        f"too large: {num_bytes} bytes; at most {limits.max_bytes} are read, send it in parts or "
        f"compressed"
    )


def _too_long(num_samples: int, sampling_rate: int, limits: InputLimits) -> str:
    return (
        f"too long: more than {limits.max_duration_s:g} s ({num_samples} samples or more at "
        f"{sampling_rate} Hz); send it in parts"
    )
