"""Digests of files, kept on disk: a file that looks unchanged is not read again.

Unchanged is what has the same size, time of modification and inode, as for git and DVC. Whoever
must not be deceived reads in full: `ser.lineage.digest_folder`.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ser import lineage
from ser.errors import FileError, LineageError
from ser.files import JsonArtefact
from ser.params import Section

#: A file that was written so shortly before could be written once more at the same time, by the
#: clock of its file system; the coarsest clocks tick every two seconds.
_TICK_NS = 2_000_000_000


class KnownFile(Section):
    """A file as it was when it was read.

    Args:
        num_bytes: Its size.
        modified_ns: When it was written last, in nanoseconds since 1970.
        inode: Its number in the file system; a file that was replaced has another.
        sha256: Digest of its bytes.
    """

    num_bytes: int
    modified_ns: int
    inode: int
    sha256: str


class KnownFiles(JsonArtefact):
    """The files of a folder as they were when they were read.

    Args:
        folder: Its whole path.
        files: Path relative to the folder -> file.
    """

    what: ClassVar[str] = "a list of known digests"
    sort_keys: ClassVar[bool] = True

    folder: str
    files: Mapping[str, KnownFile]


def digest_folder(folder: Path, kept: Path) -> str:
    """Return what `ser.lineage.digest_folder` does, without reading what looks unchanged.

    Args:
        folder: The folder.
        kept: File in which digests are kept. Processes may share it: each replaces it as a whole,
            and whichever comes last is right.

    Raises:
        LineageError: There is no such folder, or a file in it cannot be read.
    """
    before = _read(kept, folder)
    now: dict[str, KnownFile] = {}
    digests: dict[str, str] = {}

    def digest(path: Path) -> str:
        name = path.relative_to(folder).as_posix()
        found = _looked_at(path, before.get(name))
        digests[name] = found.sha256
        if time.time_ns() - found.modified_ns > _TICK_NS:
            now[name] = found
        return found.sha256

    whole = lineage.digest_folder(folder, digest)
    if now != before:
        KnownFiles(folder=str(folder.resolve()), files=now).write(kept)
    return whole


def _looked_at(path: Path, known: KnownFile | None) -> KnownFile:
    # Before it is read: what is written meanwhile has another time afterwards.
    try:
        stat = path.stat()
    except OSError as error:
        raise LineageError(f"{path}: cannot be read: {error.strerror}") from error
    if known is not None and (known.num_bytes, known.modified_ns, known.inode) == (
        *(stat.st_size, stat.st_mtime_ns, stat.st_ino),
    ):
        return known
    return KnownFile(
        num_bytes=stat.st_size,
        modified_ns=stat.st_mtime_ns,
        inode=stat.st_ino,
        sha256=lineage.sha256_file(path),
    )


def _read(kept: Path, folder: Path) -> Mapping[str, KnownFile]:
    """Return what is kept of a folder; nothing of another one, and nothing of what is damaged."""
    try:
        known = KnownFiles.read(kept)
    except FileError:
        return {}  # it is written anew
    return known.files if known.folder == str(folder.resolve()) else {}
