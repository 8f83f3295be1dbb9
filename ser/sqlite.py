"""Local sqlite databases that several processes share: made whole, opened one at a time."""

import errno
import logging
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

logger = logging.getLogger(__name__)

#: How the URL of a database file begins; the path follows, absolute with a fourth slash.
PREFIX = "sqlite:///"

#: How long a connection waits for another writer to let go of the database, in seconds.
LOCK_TIMEOUT_S = 20.0

#: Free space that is too little for a write-ahead log and its index.
_LITTLE_BYTES = 2**18

#: What sqlite says where it has no room for its log, among other cases.
_SAYS_NO_ROOM = re.compile("disk I/O error|unable to open database file")


def file_of(url: str) -> Path | None:
    """Return the file behind an sqlite URL; None for any other database.

    Example:
        >>> file_of("sqlite:///mlruns/optuna.db").as_posix()
        'mlruns/optuna.db'
        >>> file_of("http://localhost:5000") is None
        True
    """
    return Path(url.removeprefix(PREFIX)) if url.startswith(PREFIX) else None


@contextmanager
def opening(path: Path, initialise: Callable[[Path], None]) -> Iterator[None]:
    """Keep other processes from opening a database, and make it if it is not there yet.

    Two processes that meet a fresh database together break it for good. One that is killed
    while it initialises leaves no database instead of half a one.

    Args:
        path: The file; its folder is made too.
        initialise: Makes all tables in the file that it is given, and closes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.init.lock")):
        if not path.exists() or path.stat().st_size == 0:
            _create(path, initialise)
        yield


def _create(path: Path, initialise: Callable[[Path], None]) -> None:
    """Initialise a database elsewhere and put it in place whole."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder) / path.name
            initialise(scratch)
            # sqlite's own copy: the file alone may lack what is still in the write-ahead log.
            with closing(sqlite3.connect(scratch)) as made, closing(sqlite3.connect(part)) as copy:
                made.backup(copy)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def require_space(path: Path) -> None:
    """Raise where the disk of a database that just failed is full.

    Without the room for its log sqlite says `disk I/O error` or `unable to open database file`,
    whose usual cure, to begin a new database, would be wrong.

    Raises:
        OSError: ENOSPC.
    """
    if shutil.disk_usage(path.parent).free < _LITTLE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def require_room(path: Path, said: str) -> None:
    """Raise where a database failed with words that may mean a full disk, and its disk is full.

    Args:
        path: The database.
        said: What the library that failed says.

    Raises:
        OSError: ENOSPC.
    """
    if _SAYS_NO_ROOM.search(said):
        require_space(path)


def use_write_ahead_log(path: Path) -> None:
    """Let readers and a writer work side by side; kept as it is where that is refused."""
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)) as connection:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            reason = f"it stays in mode {mode}"
        except sqlite3.OperationalError as error:
            mode, reason = "", str(error)
    if mode != "wal":
        logger.warning("database %s: no write-ahead log: %s", path, reason)
