"""The one reader of recordings: encoded bytes to mono blocks, within limits.

What training and serving hear comes through here. Files come from strangers: sizes are checked
before memory is taken for them, a header is not believed, and whatever is wrong is one sentence.
"""

import io
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser.data import containers, hearing, limits, quiet
from ser.data.containers import Content
from ser.data.file_content import FileContent, forgiving
from ser.data.limits import RecordingLimits
from ser.errors import AudioError
from ser.utterance import Segment

BLOCK_SAMPLES = 1 << 16
#: A time that is written with two decimals is off by at most half a hundredth, in seconds.
ROUNDING_S = 0.005
#: Where libsndfile goes to any sample, and then reads what it reads from the beginning.
_SEEKABLE = frozenset(containers.KNOWN) - {"OGG", "MP3"}
_SEEKABLE_CODECS = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
)
_LFS_POINTER = b"version https://git-lfs"


def content_of(path: Path, allowed: RecordingLimits) -> bytes:
    """Return the bytes of a regular file that is not too large.

    Raises:
        AudioError: There is no such file, or it cannot be read; the message names no path, so
            that it is the same on every machine.
    """
    with _opening():
        num_bytes = _size_of(path)
        limits.check_size(num_bytes, allowed)
        with path.open("rb") as file:
            # One byte more than there should be: to read to the end could be to read for ever.
            content = file.read(num_bytes + 1)
    if len(content) > num_bytes:
        raise AudioError("unreadable: the file grows while it is read; try again when it is whole")
    return content


@contextmanager
def opened(
    path: Path, allowed: RecordingLimits, *, segment: Segment | None = None
) -> Iterator["Decoder"]:
    """Give a decoder of a recording, or a part of one, whose file is never in memory as a whole.

    Args:
        path: A file of `containers.KNOWN`.
        allowed: What the recording, or its part, may be. How large the file of a part may be is
            not asked.
        segment: Which part; None for the whole.

    Raises:
        AudioError: See `content_of` and `Decoder`.
    """
    with _opening():
        _size_of(path)
        content = FileContent(path)
    with content:
        yield Decoder(content, allowed, segment=segment)


def _size_of(path: Path) -> int:
    """Return the size of a regular file, in bytes."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # to open a pipe would wait for its writer
        raise AudioError("not a file: a folder, a device or a pipe")
    return state.st_size


@contextmanager
def _opening() -> Iterator[None]:
    """Say in one sentence why a file cannot be opened."""
    try:
        yield
    except FileNotFoundError as error:
        raise AudioError("missing: there is no such file") from error
    except OSError as error:
        raise AudioError(f"unreadable: the file cannot be opened ({error.strerror})") from error
    except ValueError as error:  # a NUL, which no file's name can hold
        raise AudioError(f"unreadable: the file cannot be opened ({error})") from error


class Decoder:
    """A recording whose header is read, and whose samples are still to come.

    Args:
        content: The bytes of a file of `containers.KNOWN`.
        allowed: What it, or the part of it, may be.
        segment: The part of it that is wanted; None for the whole.

    Attributes:
        sampling_rate: In Hz.
        num_channels: 1 is mono.
        num_samples: Per channel, as far as it is decoded.
        peak: Largest magnitude after down-mixing, as far as it is decoded; full scale is 1.

    Raises:
        AudioError: Empty, too large, not audio, of another container, or its header declares
            what is not allowed; the part reaches beyond its end.
    """

    def __init__(
        self, content: Content, allowed: RecordingLimits, *, segment: Segment | None = None
    ) -> None:
        if segment is None:
            limits.check_size(len(content), allowed)
        if not len(content):
            raise AudioError("empty: the file has 0 bytes")
        if content.startswith(_LFS_POINTER):
            raise AudioError("not audio: a Git LFS pointer; `git lfs pull` fetches the recording")
        containers.check_begins(content)
        self._content, self._allowed = content, allowed
        self.num_samples, self.peak = 0, 0.0
        with self._library():
            file = content.stream if isinstance(content, FileContent) else _Content(content[:])
            self._stream = _Stream(file)
        self.sampling_rate = int(self._stream.samplerate)
        self.num_channels = int(self._stream.channels)
        containers.check_read(self._stream.format)
        limits.check_rate(self.sampling_rate, allowed)
        limits.check_channels(self.num_channels, allowed)
        self._num_declared = int(self._stream.frames)
        self._place = None if segment is None else self._place_of(segment)
        first, end = self._place or (0, self._num_declared)
        if end < containers.UNKNOWN_SAMPLES:
            limits.check_longest(end - first, self.sampling_rate, allowed)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the mean over channels, block by block, `(num_samples,)`; once.

        Raises:
            AudioError: Damaged, truncated, longer than allowed, without samples, or with samples
                that are NaN, infinite, or beyond 2^31; said after the last good block.
        """
        num_bad = 0
        for block in self._wanted():
            # Averaged at once: eight channels would take eight times the memory.
            mono = hearing.mono(block)
            self.num_samples += len(mono)
            limits.check_longest(self.num_samples, self.sampling_rate, self._allowed)
            self.peak = max(self.peak, float(mono.max()), -float(mono.min()))
            num_bad += _num_not_finite(mono)
            yield mono
        self._check_end()
        if self.num_samples == 0:
            raise AudioError("empty: the file holds no samples")
        if num_bad:
            raise AudioError(
                f"damaged: {num_bad} of {self.num_samples} samples are NaN or infinite"
            )
        check_scale(self.peak, limits.MAX_MAGNITUDE)

    def _place_of(self, segment: Segment) -> tuple[int, int]:
        """Return the first sample of a part and the one after its last."""
        rate, num_samples = self.sampling_rate, self._num_declared
        first, end = round(segment.start_s * rate), round(segment.end_s * rate)
        if end > num_samples + ROUNDING_S * rate:
            raise AudioError(
                f"beyond the end: {segment} of a recording of {num_samples / rate:.3f} s"
            )
        return first, min(end, num_samples)

    def _wanted(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples of the whole, or of the part, of all channels."""
        if self._place is None:
            while len(block := self._read()):
                yield block
            return
        first, end = self._place
        position = self._go_to(first)
        while position < end and len(block := self._read(min(BLOCK_SAMPLES, end - position))):
            position += len(block)
            yield block

    def _go_to(self, first: int) -> int:
        """Pass over what is before a sample, and return where the stream is."""
        stream, position = self._stream, 0
        if stream.format in _SEEKABLE and stream.subtype in _SEEKABLE_CODECS:
            with self._library():
                return int(stream.seek(first))
        while position < first and len(block := self._read(min(BLOCK_SAMPLES, first - position))):
            position += len(block)
        return position

    def _check_end(self) -> None:
        """Refuse a recording of which a part is missing."""
        num_declared, num_read = self._num_declared, self.num_samples
        if self._place is not None:
            first, end = self._place
            is_short = first + num_read < end < containers.UNKNOWN_SAMPLES
            num_declared, num_read = (end, first + num_read) if is_short else (0, 0)
        containers.check_whole(self._content, num_declared=num_declared, num_read=num_read)

    def _read(self, num_samples: int = BLOCK_SAMPLES) -> NDArray[np.float32]:
        with self._library():
            block: NDArray[np.float32] = self._stream.read(
                num_samples, dtype="float32", always_2d=True
            )
        return block

    @contextmanager
    def _library(self) -> Iterator[None]:
        """Call libsndfile: it is quiet, and whatever it raises becomes one sentence."""
        noisy = containers.may_be_mp3(self._content)
        silence: AbstractContextManager[None] = quiet.mpg123() if noisy else nullcontext()
        try:
            with silence:
                yield
        except Exception as error:
            # A library's error may be of any type. The str() of libsndfile's shows the address of
            # our buffer, another one in each run.
            said = getattr(error, "error_string", type(error).__name__)
            raise AudioError(
                f"unreadable: not audio, or damaged ({said}); expected a whole WAV, FLAC, OGG or "
                f"MP3 file"
            ) from error


def decode(content: bytes, allowed: RecordingLimits) -> tuple[NDArray[np.float32], Decoder]:
    """Return a whole recording as a mono waveform `(num_samples,)`, and what it is.

    Raises:
        AudioError: See `Decoder` and `Decoder.blocks`.
    """
    decoder = Decoder(content, allowed)
    return waveform_of(decoder), decoder


def waveform_of(decoder: Decoder) -> NDArray[np.float32]:
    """Return all that a decoder has yet to yield as one waveform `(num_samples,)`.

    Raises:
        AudioError: See `Decoder.blocks`.
    """
    return np.concatenate(list(decoder.blocks()))


def check_scale(peak: float, max_magnitude: float) -> None:
    """Refuse samples that are larger than a recording's can be.

    Raises:
        AudioError: Names their peak.
    """
    if peak > max_magnitude:
        raise AudioError(
            f"samples reach {peak:g}, but full scale is [-1, 1]; divide 16-bit integers by 32768"
        )


class _Content(io.BytesIO):
    """Bytes whose decoder may look before the beginning, as damaged headers make it do."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go there, or to the beginning."""
        return forgiving(super().seek, offset, whence)


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A recording that is read from front to back."""

    def seekable(self) -> bool:
        """Return False: soundfile would seek after each block, which disturbs MP3's decoder.

        It would also refuse to read the codecs that cannot seek, as telephones use them.
        """
        return False


def _num_not_finite(waveform: NDArray[np.float32]) -> int:
    """Return how many samples are NaN or infinite."""
    # The sum is finite if all samples are, and far cheaper than a mask; only then count.
    with np.errstate(invalid="ignore"):  # inf - inf
        total = waveform.sum(dtype=np.float64)
    return 0 if np.isfinite(total) else int(np.count_nonzero(~np.isfinite(waveform)))
