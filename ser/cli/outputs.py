"""Where a command may write what it was told to: asked before the work begins."""

import os
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ser.errors import FileError, FullDiskError


def require_file(out: Path, *, is_ours: Callable[[Path], bool], read: Iterable[Path] = ()) -> None:
    """Check that a file can be written, and that nothing of somebody else's is lost by it.

    Args:
        out: The file.
        is_ours: Whether a file that is there was written by this command before.
        read: What the command reads.

    Raises:
        FileError: Names the file, the rule and the cure.
    """
    if out.is_dir():
        raise FileError(f"{out}: is a folder; name a file in it, e.g. {out / 'answers.parquet'}")
    if any(out.exists() and path.exists() and out.samefile(path) for path in read):
        raise FileError(f"{out}: is read by this command; name another file to write")
    if out.exists() and not (out.is_file() and is_ours(out)):
        raise FileError(
            f"{out}: is there and was not written by this command; remove it or name another file"
        )
    require_place(out)


def require_folder(out: Path, *, holds: Collection[str]) -> None:
    """Check that a folder can be written: a new one, an empty one, or one written before.

    Args:
        out: The folder.
        holds: Names of which a folder that was written before has at least one.

    Raises:
        FileError: Names the folder, the rule and the cure.
    """
    if out.exists() and not out.is_dir():
        raise FileError(f"{out}: is a file; name a folder, which is made where it is missing")
    if out.is_dir():
        names = {path.name for path in out.iterdir()}
        if names and names.isdisjoint(holds):
            raise FileError(
                f"{out}: holds {min(names)!r} and no export; name a folder that is new or empty"
            )
    require_place(out)


def require_place(out: Path) -> None:
    """Check that what is above can be written to, or made.

    Args:
        out: A file, folder or link that is to be.

    Raises:
        FileError: It cannot; names the file, the place and the cure.
    """
    above = _above(out)
    if not above.is_dir():
        raise FileError(f"{out}: {above} is a file, so nothing can be written below it")
    if not os.access(above, os.W_OK | os.X_OK):
        raise FileError(f"{out}: {above} may not be written to; name another place")


def require_room(out: Path, num_bytes: int) -> None:
    """Check that a disk has room for what is to be written.

    Args:
        out: A file or folder that is to be.
        num_bytes: Of it.

    Raises:
        FullDiskError: There is less; names the file, both numbers and the cure.
    """
    free = shutil.disk_usage(_above(out)).free
    if free < num_bytes:
        raise FullDiskError(
            f"{out}: {num_bytes / 1e6:.1f} MB are needed, and its disk has {free / 1e6:.1f} MB "
            f"left; free some space, or name a place on another disk"
        )


def _above(out: Path) -> Path:
    """Return the lowest place above that is there."""
    return next(place for place in out.absolute().parents if place.exists())


def write(out: Path, text: str) -> None:
    """Write a file as a whole; see `require_file`."""
    from ser import files

    files.write_text(out, text)
