"""Which process did something, and whether it has ended since; who works in a folder."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Start times are derived from the boot time, which clock corrections shift; in seconds.
_START_TOLERANCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process, as it can be written down and found again.

    Args:
        host: Name of its machine.
        pid: Its id there.
        started: When it started, in seconds since 1970; None if that was not written down.
    """

    host: str
    pid: int
    started: float | None

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, one of this machine."""
        return self.host == socket.gethostname()

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended; of another machine's process nothing is known."""
        if not self.is_here:
            return False
        try:
            found = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        # The id lives, but if it started at another time it is somebody else's by now.
        return self.started is not None and abs(found - self.started) > _START_TOLERANCE_S


def this_process() -> Process:
    """Return the process that calls."""
    return Process(socket.gethostname(), os.getpid(), psutil.Process().create_time())


def has_ended(pid: int, *, before: float) -> bool:
    """Return whether a process that lived at a time has ended since.

    Args:
        pid: Its id, which another process may have by now.
        before: A time at which it lived, in seconds since 1970.

    Returns:
        True for an id that nobody has, for a process that has ended and that its parent has not
        waited for, and for one that began later.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return process.create_time() > before + _START_TOLERANCE_S
    except psutil.NoSuchProcess:
        return True


def children() -> list[psutil.Process]:
    """Return the processes that this one has started and that have not ended."""
    return psutil.Process().children()


def end(those: Sequence[psutil.Process], *, grace_s: float = 30.0) -> None:
    """Ask processes to end, and wait until they have.

    Args:
        those: Children of this process.
        grace_s: Those that have not ended after so many seconds are killed.
    """
    for process in those:
        process.terminate()
    _, alive = psutil.wait_procs(those, timeout=grace_s)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive)


def mentions(pid: int, *words: str) -> bool:
    """Return whether one of the words is in a process' command line; unreadable counts as yes."""
    line = _command_line(pid)
    return line is None or any(word in line for word in words)


def mentions_all(pid: int, words: Sequence[str]) -> bool:
    """Return whether all words are in a process' command line; unreadable counts as yes."""
    line = _command_line(pid)
    return line is None or all(word in line for word in words)


def working_in(folder: Path) -> list[int]:
    """Return the ids of the other processes whose working directory is a folder or in it.

    Those that this process stems from, e.g. a shell and `make`, are left out, and those of
    other users where the operating system keeps them to itself.
    """
    place = folder.resolve()
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            where = Path(process.cwd())
        except (psutil.Error, OSError):
            continue
        if process.pid not in ours and place in (where, *where.parents):
            found.append(process.pid)
    return sorted(found)


def _command_line(pid: int) -> str | None:
    """Return the words of a process, joined; empty of one that has ended, None if unknown."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.AccessDenied:
        return None
    except psutil.Error:
        return ""
