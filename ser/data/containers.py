"""Does a file hold what its container's header promises?

libsndfile shortens a recording that ends early without a word, so headers are read here too.
Only containers whose promise is known are read: of others nobody could say whether their end
is missing.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ser.errors import AudioError

#: Containers by libsndfile's name.
KNOWN = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")

#: Who writes to a pipe cannot know the length, and declares about this many bytes or more.
_UNKNOWN_BYTES = 0x7FFF0000
#: The same where sizes have 64 bits.
_UNKNOWN_LONG = (1 << 63) - 1
#: libsndfile declares the largest number where a header does not know its length.
UNKNOWN_SAMPLES = 1 << 62

_ID3_HEAD = 10
_OGG_HEAD, _OGG_END = 27, 0x04
#: The two first lines of a SPHERE file: its name, and its header's length.
_NIST_HEAD = 1024
_NIST_COUNTS = ("sample_count", "channel_count", "sample_n_bytes")


class Content(Protocol):
    """The bytes of a file, or a view of a file that is read as far as it is asked for."""

    def __len__(self) -> int:
        """Return the number of bytes."""

    def __getitem__(self, place: slice, /) -> bytes:
        """Return the bytes of a place."""

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, /) -> bool:
        """Return whether a place begins so, as `bytes.startswith` does."""

    def rfind(self, sought: bytes, /) -> int:
        """Return where bytes are found last, or -1."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """Content without its first bytes, which are not copied.

    Args:
        content: The whole.
        first: Where it begins.
    """

    content: Content
    first: int

    def __len__(self) -> int:
        return len(self.content) - self.first

    def __getitem__(self, place: slice, /) -> bytes:
        start, stop, _ = place.indices(len(self))
        return self.content[self.first + start : self.first + stop]

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, /) -> bool:
        return self.content.startswith(prefix, self.first + start)

    def rfind(self, sought: bytes, /) -> int:
        return max(-1, self.content.rfind(sought) - self.first)


def check_begins(content: Content) -> None:
    """Refuse bytes that do not begin as a container whose promise is known.

    libsndfile would try its readers of rare containers, some of which print what they find.

    Raises:
        AudioError: They begin otherwise.
    """
    if not content.startswith((*_PROMISES, b"fLaC")) and not may_be_mp3(content):
        raise AudioError(
            "unreadable: not audio, or of a container whose missing end could not be told; "
            f"expected a whole file of {', '.join(KNOWN)}"
        )


def check_read(container: str) -> None:
    """Refuse a container whose promise nobody knows.

    Args:
        container: libsndfile's name of it.

    Raises:
        AudioError: It is none of `KNOWN`.
    """
    if container not in KNOWN:
        raise AudioError(
            f"unreadable: a {container} file; whether its end is missing cannot be told, so "
            f"convert it to WAV or FLAC"
        )


def may_be_mp3(content: Content) -> bool:
    """Return whether the MP3 decoder would be asked to read bytes."""
    return content.startswith(b"ID3") or _is_mpeg(content)


def _is_mpeg(content: Content) -> bool:
    # A frame begins with eleven bits that are set.
    return content[:1] == b"\xff" and content[1:2] >= b"\xe0"


def check_whole(content: Content, *, num_declared: int, num_read: int) -> None:
    """Refuse a recording of which a part is missing.

    A container that does not know its length (a WAV written to a pipe, an MP3 or FLAC without a
    count) promises nothing, and is heard to its end. An OGG says at its end that it is the end.

    Args:
        content: The file's bytes.
        num_declared: Samples per channel that libsndfile found declared.
        num_read: Samples per channel that were decoded.

    Raises:
        AudioError: There are fewer than declared; the message begins with `truncated`.
    """
    if (num_missing := missing_bytes(content)) > 0:
        raise AudioError(
            f"truncated: the header declares {num_missing} more bytes of samples than there are; "
            f"get the whole file"
        )
    if num_read < num_declared < UNKNOWN_SAMPLES:
        raise AudioError(
            f"truncated: the header declares {num_declared} samples, there are {num_read}; get the "
            f"whole file"
        )


def missing_bytes(content: Content) -> int:
    """Return how many promised bytes of samples lie beyond the end of a file.

    Returns:
        0 or less where all are there, or where nothing is promised.

    Raises:
        AudioError: The header leads to no samples, or an OGG has no end.
    """
    content = _after_tags(content)
    for magic, promised_end in _PROMISES.items():
        if content.startswith(magic):
            try:
                end = promised_end(content)
            except struct.error as error:
                raise AudioError("truncated: the file ends within its header") from error
            return 0 if end is None else end - len(content)
    return 0


def _after_tags(content: Content) -> Content:
    """Return what follows ID3 tags, which libsndfile skips in front of any container."""
    start = 0
    while content.startswith(b"ID3", start) and len(content) - start >= _ID3_HEAD:
        # Four numbers of seven bits.
        digits = zip(content[start + 6 : start + 10], (21, 14, 7, 0), strict=True)
        start += _ID3_HEAD + sum(byte << shift for byte, shift in digits)
    return _Tail(content, start) if start else content


def _riff_end(content: Content) -> int | None:
    """Return where the samples of a WAV end, or None where that is not known."""
    order = ">" if content.startswith(b"RIFX") else "<"
    long_size = None
    for name, start, size in _chunks(content, f"{order}4sI", first=12, multiple=2):
        if name == b"ds64":  # sizes of 64 bits: of the file, of the samples
            long_size = _unpack("<Q", content, start + 8)[0]
        if name == b"data":
            if long_size is not None and size == 0xFFFFFFFF:
                return _end(start, long_size, unknown=_UNKNOWN_LONG)
            return _end(start, size, unknown=_UNKNOWN_BYTES)
    raise _without_samples("data")


def _w64_end(content: Content) -> int | None:
    # Names are GUIDs that begin with RIFF's; a size counts its own head of 24 bytes.
    for name, start, size in _chunks(content, "<16sQ", first=40, multiple=8, own_head=True):
        if name.startswith(b"data"):
            return _end(start, size, unknown=_UNKNOWN_LONG)
    raise _without_samples("data")


def _aiff_end(content: Content) -> int | None:
    for name, start, size in _chunks(content, ">4sI", first=12, multiple=2):
        if name == b"SSND":
            return _end(start, size, unknown=_UNKNOWN_BYTES)
    raise _without_samples("SSND")


def _caf_end(content: Content) -> int | None:
    for name, start, size in _chunks(content, ">4sQ", first=8, multiple=1):
        if name == b"data":
            return _end(start, size, unknown=_UNKNOWN_LONG)
    raise _without_samples("data")


def _au_end(content: Content) -> int | None:
    order = ">" if content.startswith(b".snd") else "<"
    start, size = _unpack(f"{order}II", content, 4)
    return _end(start, size, unknown=_UNKNOWN_BYTES)


def _nist_end(content: Content) -> int | None:
    """Return where the samples of a SPHERE file end: its header is text of a stated length."""
    found = re.match(rb"NIST_1A\n *(\d{1,9})\n", content[:_NIST_HEAD])
    if found is None:
        raise _without_samples("header")
    start = int(found[1])
    size = 1
    for name in _NIST_COUNTS:
        count = re.search(rf"\n{name} -(?:i|s\d+) (\d{{1,12}})\s".encode(), content[:start])
        if count is None:
            return None
        size *= int(count[1])
    return start + size


def _ogg_end(content: Content) -> int:
    """Return where the last page ends, which must say that it is the last."""
    start = content.rfind(b"OggS")
    kind, num_segments = content[start + 5 : start + 6], content[start + 26 : start + 27]
    if not num_segments:
        raise AudioError("truncated: the last page of the OGG is cut; get the whole file")
    lengths = content[start + _OGG_HEAD : start + _OGG_HEAD + num_segments[0]]
    if not kind[0] & _OGG_END:
        raise AudioError(
            "truncated: the last page of the OGG is not marked as the end, as a recorder does that "
            "finishes; get the whole file, or `ffmpeg -i IN -c copy OUT.ogg` closes what there is"
        )
    return start + _OGG_HEAD + num_segments[0] + sum(lengths)


def _unpack(head: str, content: Content, position: int) -> tuple[Any, ...]:
    """Return what stands at a position; struct.error where the file ends before."""
    return struct.unpack(head, content[position : position + struct.calcsize(head)])


def _end(start: int, size: int, *, unknown: int) -> int | None:
    """Return where a chunk of samples ends; a size that was never filled in promises nothing."""
    return None if size == 0 or size >= unknown else start + size


def _chunks(
    content: Content, head: str, *, first: int, multiple: int, own_head: bool = False
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and size of the chunks of a file, as far as they lead.

    Args:
        content: The file.
        head: Of a chunk, for `struct`: its name and its size.
        first: Where the first chunk is.
        multiple: Chunks begin at multiples of this many bytes.
        own_head: Whether a size counts the head.
    """
    num_head = struct.calcsize(head)
    position = first
    while position + num_head <= len(content):
        name, size = _unpack(head, content, position)
        position += num_head
        inner = max(0, size - num_head) if own_head else size
        yield name, position, inner
        position += inner + -inner % multiple


def _without_samples(chunk: str) -> AudioError:
    return AudioError(
        f"damaged: its header does not lead to its samples (no {chunk!r}); save it anew as WAV or "
        f"FLAC"
    )


_PROMISES: Mapping[bytes, Callable[[Content], int | None]] = {
    b"RIFF": _riff_end,
    b"RIFX": _riff_end,
    b"RF64": _riff_end,
    b"BW64": _riff_end,
    b"riff": _w64_end,
    b"FORM": _aiff_end,
    b"caff": _caf_end,
    b".snd": _au_end,
    b"dns.": _au_end,
    b"NIST_1A": _nist_end,
    b"OggS": _ogg_end,
}
