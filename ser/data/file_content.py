"""A file of any size as bytes that are read as far as somebody asks for them.

Of a long recording a part is wanted: neither its header's promise nor its samples need the whole
file in memory.
"""

import io
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ser.errors import AudioError

#: A header that asks for more at once is none.
_MAX_SLICE = 2**24
_BLOCK = 2**16


def forgiving(seek: Callable[[int, int], int], offset: int, whence: int) -> int:
    """Go to a place as damaged headers ask for it, or else to the beginning.

    An error in here would be printed, with its traceback, by the decoder that asks.
    """
    try:
        return seek(offset, whence)
    except (ValueError, OverflowError, OSError):
        return seek(0, io.SEEK_SET)


class _PatientFile(io.BufferedReader):
    """A file whose decoder may look before the beginning."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return forgiving(super().seek, offset, whence)


class FileContent:
    """The content of an open file, see `ser.data.containers.Content`; close it after use.

    Args:
        path: A regular file.

    Attributes:
        stream: The same file for a decoder, with a place of its own.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self.stream = _PatientFile(io.FileIO(path))
        except OSError:
            self._file.close()
            raise
        self._num_bytes = self._file.seek(0, io.SEEK_END)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()
        self.stream.close()

    def __len__(self) -> int:
        """Return the size of the file when it was opened."""
        return self._num_bytes

    def __getitem__(self, place: slice, /) -> bytes:
        """Read a place; AudioError where a header leads to an absurd one, or the disk fails."""
        start, stop, _ = place.indices(self._num_bytes)
        if stop - start > _MAX_SLICE:
            raise AudioError(f"damaged: its header asks for {stop - start} bytes at once")
        try:
            self._file.seek(start)
            return self._file.read(max(0, stop - start))
        except OSError as error:
            raise AudioError(f"unreadable: {error.strerror or error}") from error

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, /) -> bool:
        """Return whether a place begins so."""
        wanted = (prefix,) if isinstance(prefix, bytes) else prefix
        found = self[start : start + max(map(len, wanted))]
        return found.startswith(wanted)

    def rfind(self, sought: bytes, /) -> int:
        """Return where bytes are found last, or -1; read from the end, block by block."""
        end = self._num_bytes
        while end > 0:
            start = max(0, end - _BLOCK)
            # What is sought may begin in this block and end in the next.
            if (found := self[start : end + len(sought) - 1].rfind(sought)) >= 0:
                return start + found
            end = start
        return -1
