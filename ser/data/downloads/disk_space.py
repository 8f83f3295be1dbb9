"""Whether a disk has room, asked before it is filled."""

import shutil
from pathlib import Path

from ser.errors import DownloadError


def require(folder: Path, num_bytes: int, what: str) -> None:
    """Refuse to begin what would not fit.

    Args:
        folder: An existing folder on the disk.
        num_bytes: What is to be written there.
        what: It, for the message, e.g. `to unpack x.zip`.

    Raises:
        DownloadError: The disk has less room.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise DownloadError(
            f"{folder}: {num_bytes / 1e6:.0f} MB are needed {what}, but only {free / 1e6:.0f} MB "
            "are free; make room, or say with --to PATH where there is some"
        )
