"""One training of a cell at a time, in one project."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from ser import files
from ser.errors import FileError, TrainingError
from ser.processes import Process, this_process


@contextmanager
def held(path: Path, cell: str) -> Iterator[None]:
    """Be the only one that trains a cell until the block ends, or this process does.

    Two at once would remove each other's half-written results and share one checkpoint.

    Args:
        path: The lock's file. Beside it is written who holds it.
        cell: Its name, for the message.

    Raises:
        TrainingError: Another process trains it, which is named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    note = path.with_suffix(".json")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TrainingError(
            f"{cell} is being trained already, by {_holder(note)}; wait for it, or end it and give "
            f"the same command again, which goes on from its last checkpoint ({path})"
        ) from error
    try:
        files.write_json(note, asdict(this_process()))
        yield
    finally:
        lock.release()


def _holder(note: Path) -> str:
    """Return who holds a lock, in words."""
    try:
        holder = files.read_json(note, lambda content: Process(**content))
    except FileError:
        return "another process"
    if holder.has_ended:  # whoever came after it has not said so yet
        return "another process"
    since = time.strftime("%H:%M:%S", time.localtime(holder.started))
    return f"process {holder.pid} on {holder.host}, which began at {since}"
