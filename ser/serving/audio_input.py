"""What a request may send to be heard, decoded within limits.

Everything here comes from strangers: sizes are checked before memory is taken for them, a
recording is decoded block by block and dropped as soon as it is longer than allowed, and
whatever is wrong is said in one sentence.
"""

import base64
import binascii
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import Field

from ser.errors import AudioInputError
from ser.params import Section

_BLOCK_SAMPLES = 1 << 16
_DATA_URL = re.compile(r"data:[\w/.+-]{0,60};base64,")
_SHOWN_CHARS = 60
#: Integers left unscaled are thousands; a loud float recording overshoots a little.
_MAX_MAGNITUDE = 1.5


class InputLimits(Section):
    """What one recording may be.

    Args:
        max_bytes: Encoded size; 32 MiB hold ten minutes of stereo at 16 bit and 22 kHz.
        max_duration_s: A conversation, not an archive; bounds the time of an answer.
        min_duration_s: Shorter is less than a syllable.
        max_channels: Of a microphone array; channels are averaged.
        min_sampling_rate, max_sampling_rate: In Hz; below a telephone's rate there is no
            speech left, above studio rates nothing is recorded.
        silence_dbfs: A recording whose peak is below is refused as silent, in dB relative
            to full scale: a model would answer something about its noise.
    """

    max_bytes: int = Field(32 * 2**20, ge=1024)
    max_duration_s: float = Field(600.0, gt=0.0, le=3600.0)
    min_duration_s: float = Field(0.1, ge=0.01)
    max_channels: int = Field(8, ge=1, le=64)
    min_sampling_rate: int = Field(4000, ge=1000)
    max_sampling_rate: int = Field(192000, le=768000)
    silence_dbfs: float = Field(-60.0, le=0.0)


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
        num_bytes = path.stat().st_size
        if num_bytes > limits.max_bytes:
            raise AudioInputError(_too_large(num_bytes, limits))
        if not path.is_file():
            raise AudioInputError("not a file")
        return from_bytes(path.read_bytes(), limits)
    except FileNotFoundError as error:
        raise AudioInputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise AudioInputError(f"{path}: cannot be opened ({error.strerror})") from error
    except AudioInputError as error:
        raise AudioInputError(f"{path}: {error}") from error


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
    if len(text) > 2 * limits.max_bytes:
        raise AudioInputError(_too_large(len(text) * 3 // 4, limits))
    body = "".join(_DATA_URL.sub("", text, count=1).split())
    try:
        content = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AudioInputError(
            f"audio must be the base64 of a recording's bytes; {shortened(text)} is not base64"
        ) from error
    return from_bytes(content, limits)


def from_bytes(content: bytes, limits: InputLimits) -> Waveform:
    """Decode a recording.

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
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            sampling_rate, num_declared = int(file.samplerate), int(file.frames)
            _check_header(sampling_rate, int(file.channels), limits)
            samples = _decode(file, sampling_rate, limits)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        # libsndfile's own text may hold addresses of memory, and nothing that helps.
        raise AudioInputError(
            "not audio, or damaged: expected a whole WAV, FLAC, OGG or MP3 file"
        ) from error
    num_missing = _missing_wav_samples(content, num_declared, len(samples))
    if num_missing:
        raise AudioInputError(
            f"truncated: the header declares {num_missing} more samples than there are"
        )
    return _checked(samples, sampling_rate, limits)


def from_samples(samples: object, sampling_rate: object, limits: InputLimits) -> Waveform:
    """Take samples as they are.

    Args:
        samples: Numbers `(num_samples,)` or `(num_channels, num_samples)`, full scale is
            [-1, 1].
        sampling_rate: In Hz.
        limits: What they may be.

    Raises:
        AudioInputError: Not such numbers, or not usable.
    """
    rate = _rate(sampling_rate)
    table = _numbers(samples)
    if table.ndim == 1:
        table = table[np.newaxis]
    if table.ndim != 2 or 0 in table.shape:
        raise AudioInputError(
            f"samples must be a list of numbers, or one such list per channel; got shape "
            f"{table.shape}"
        )
    _check_header(rate, len(table), limits)
    if table.shape[1] > limits.max_duration_s * rate:
        raise AudioInputError(_too_long(table.shape[1], rate, limits))
    with np.errstate(over="ignore"):
        waveform = _checked(table.T.astype(np.float32), rate, limits)
    if float(np.abs(waveform.samples).max()) > _MAX_MAGNITUDE:
        raise AudioInputError(
            f"samples reach {float(np.abs(waveform.samples).max()):g}, but full scale is [-1, 1]; "
            f"divide 16-bit integers by 32768"
        )
    return waveform


def to_rate(waveform: Waveform, sampling_rate: int) -> NDArray[np.float32]:
    """Return the samples at another rate, as `ser.data.audio.read` changes it.

    Args:
        waveform: At its own rate.
        sampling_rate: Wanted, in Hz.

    Returns:
        Mono `(num_samples,)`.
    """
    if waveform.sampling_rate == sampling_rate:
        return waveform.samples
    resampled: NDArray[np.float32] = soxr.resample(
        waveform.samples, waveform.sampling_rate, sampling_rate, quality="HQ"
    )
    return resampled


def shortened(value: object) -> str:
    """Return the beginning of what somebody sent, for a message."""
    # A long list is not written out to be cut off.
    text = repr(value[:_SHOWN_CHARS] if isinstance(value, str | list | bytes) else value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def _decode(
    file: soundfile.SoundFile, sampling_rate: int, limits: InputLimits
) -> NDArray[np.float32]:
    """Return samples `(num_samples, num_channels)`, decoded only as far as is allowed.

    The header is not believed: a few bytes can declare, or decode to, hours of silence.
    """
    most = math.ceil(limits.max_duration_s * sampling_rate)
    if 0 < most < file.frames < 1 << 62:
        raise AudioInputError(_too_long(file.frames, sampling_rate, limits))
    blocks: list[NDArray[np.float32]] = []
    total = 0
    while len(block := file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)):
        total += len(block)
        if total > most:
            raise AudioInputError(_too_long(total, sampling_rate, limits))
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def _check_header(sampling_rate: int, num_channels: int, limits: InputLimits) -> None:
    if not limits.min_sampling_rate <= sampling_rate <= limits.max_sampling_rate:
        raise AudioInputError(
            f"sampling rate {sampling_rate} Hz; {limits.min_sampling_rate} to "
            f"{limits.max_sampling_rate} Hz are answered"
        )
    if not 1 <= num_channels <= limits.max_channels:
        raise AudioInputError(
            f"{num_channels} channels; 1 to {limits.max_channels} are answered, send them apart"
        )


def _checked(samples: NDArray[np.float32], sampling_rate: int, limits: InputLimits) -> Waveform:
    """Return samples `(num_samples, num_channels)` as a mono waveform, if it can be used."""
    if len(samples) == 0:
        raise AudioInputError("empty: the recording holds no samples")
    duration_s = len(samples) / sampling_rate
    if duration_s < limits.min_duration_s:
        raise AudioInputError(
            f"too short: {duration_s:.4f} s; at least {limits.min_duration_s:g} s are needed"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    num_bad = int(np.count_nonzero(~np.isfinite(mono)))
    if num_bad:
        raise AudioInputError(f"damaged: {num_bad} of {len(mono)} samples are NaN or infinite")
    peak = float(np.abs(mono).max())
    peak_dbfs = 20 * math.log10(peak) if peak > 0 else -math.inf
    if peak_dbfs < limits.silence_dbfs:
        raise AudioInputError(
            f"silent: its peak is {peak_dbfs:.1f} dBFS; at least {limits.silence_dbfs:g} is needed"
        )
    return Waveform(np.ascontiguousarray(mono), sampling_rate)


def _numbers(samples: object) -> NDArray[np.float64]:
    """Return numbers as an array; refuse text, booleans, null and rows of unequal length."""
    rule = "samples must be a list of numbers, or one such list per channel"
    if not isinstance(samples, list | tuple | np.ndarray):
        raise AudioInputError(f"{rule}; got {shortened(samples)}")
    try:
        array: NDArray[Any] = np.asarray(samples)
        if array.dtype == object and array.ndim == 1 and len(array):
            array = np.stack([np.asarray(row) for row in array])  # MLflow's array of arrays
    except (ValueError, TypeError, OverflowError) as error:
        raise AudioInputError(f"{rule} of equal length; got {shortened(samples)}") from error
    if array.dtype.kind not in "iuf":
        raise AudioInputError(f"{rule}; got {shortened(samples)}")
    return array.astype(np.float64)


def _rate(value: object) -> int:
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if isinstance(value, bool | np.bool_) or not is_number:
        raise AudioInputError(f"sampling_rate must be a number, in Hz; got {shortened(value)}")
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number) or number != int(number) or number <= 0:
        raise AudioInputError(
            f"sampling_rate must be a whole number above 0, in Hz; got {shortened(value)}"
        )
    return int(number)


def _missing_wav_samples(content: bytes, num_declared: int, num_read: int) -> int:
    """Return how many declared samples a recording lacks; a WAV knows by its chunk sizes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        position = 12
        while position + 8 <= len(content):
            name, size = content[position : position + 4], content[position + 4 : position + 8]
            num_bytes = int.from_bytes(size, "little")
            position += 8
            if name == b"data":
                lacking = num_bytes - (len(content) - position)
                # Written to a pipe, a WAV cannot know its length and declares the most.
                return max(0, lacking) if num_bytes < 0x7FFF0000 else 0
            position += num_bytes + num_bytes % 2
        return 0
    return max(0, num_declared - num_read) if num_declared < 1 << 62 else 0


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
