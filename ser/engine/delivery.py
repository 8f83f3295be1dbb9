"""What a node sends while it does a unit: where it began, the folder in pieces, how it ended.

A folder comes in pieces, so that weights of gigabytes never lie in memory as a whole, and is put in
place once all of it is there and has the bytes that the node read.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser import files
from ser.errors import EngineError
from ser.wording import first_few

#: Bytes of a file that travel together.
PIECE_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    Args:
        name: Of the file, relative to the unit's folder, `/`-separated.
        content: Its next bytes.
    """

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """How a unit ended on its node.

    Args:
        error: Why it failed, for people; None if it is done.
        is_refused: The node cannot do it, and another one may.
        log: What was logged meanwhile, with a traceback where the fault is ours.
        digests: File of the folder -> SHA-256; nothing of a unit that failed.
    """

    error: str | None
    is_refused: bool
    log: str
    digests: Mapping[str, str]


def pieces(folder: Path, digests: dict[str, str]) -> Iterator[Piece]:
    """Yield the files of a folder in pieces, sorted by name.

    Args:
        folder: What a unit leaves; without a link that leads out of it.
        digests: Gets the SHA-256 of every file, by its name.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, digest = path.relative_to(folder).as_posix(), hashlib.sha256()
        with path.open("rb") as file:
            content = file.read(PIECE_BYTES)
            while True:  # an empty file is a piece, too
                digest.update(content)
                yield Piece(name, content)
                if not (content := file.read(PIECE_BYTES)):
                    break
        digests[name] = digest.hexdigest()


class Arrival:
    """A folder on its way; its name stands for all of it or for what was there before.

    Args:
        folder: Where it shall be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._part: Path | None = None
        self._digests: dict[str, hashlib._Hash] = {}

    def take(self, piece: Piece) -> None:
        """Keep a piece.

        Raises:
            EngineError: Its name leads out of the folder.
        """
        name = PurePosixPath(piece.name)
        if name.is_absolute() or ".." in name.parts:
            raise EngineError(f"{self._folder}: a node sent a file {piece.name!r}, outside of it")
        if self._part is None:
            self._part = self._open.enter_context(
                files.replacing_folder(self._folder, durable=True)
            )
        path = self._part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(piece.content)
        self._digests.setdefault(piece.name, hashlib.sha256()).update(piece.content)

    def put(self, digests: Mapping[str, str]) -> None:
        """Put the folder in place.

        Args:
            digests: Of the files as the node read them.

        Raises:
            EngineError: Not these files have come.
        """
        come = {name: digest.hexdigest() for name, digest in self._digests.items()}
        if come != digests or not come:
            other = sorted(
                name for name in {*come, *digests} if come.get(name) != digests.get(name)
            )
            self.drop()
            raise EngineError(
                f"{self._folder}: what has come is not what the node sent: "
                f"{first_few(other) or 'nothing came'}; give the same command again"
            )
        self._open.close()

    def drop(self) -> None:
        """Forget what has come."""
        with suppress(_DroppedError):
            self._leave_with_error()

    def _leave_with_error(self) -> None:
        with self._open:
            raise _DroppedError


class _DroppedError(Exception):
    """Leaves the block in which a folder is written without putting it in place."""
