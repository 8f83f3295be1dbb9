"""A signal, or a full disk, at the k-th file operation of a process.

Python's audit events tell of files, SQLAlchemy of what is committed to a database. Reading counts
for nothing.
"""

import errno
import os
import signal
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy

#: Something is about to be committed to a database: no audit event, but counted as one.
_COMMIT = "sqlalchemy.commit"

#: Audit events that change files, beside `open` for writing -> which arguments name what changes.
_CHANGES = {
    "os.chmod": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "shutil.copyfile": (1,),
    "shutil.copytree": (1,),
    "shutil.move": (0, 1),
    "shutil.rmtree": (0,),
    "sqlite3.connect": (0,),
    _COMMIT: (0,),
}

#: Audit events whose last argument is a folder that their paths start from.
_RELATIVE = frozenset({"os.chmod", "os.mkdir", "os.remove", "os.rmdir", "os.symlink"})

#: Those of them that need space.
_GROWS = frozenset({"open", "os.link", "os.mkdir", "os.symlink", "shutil.copyfile", _COMMIT})

#: The disk is full from an operation on.
FULL = "ENOSPC"

#: What befalls a process in the campaign.
KINDS = ("SIGKILL", "SIGINT", "SIGTERM", FULL)


#: How the line begins by which a process says that it is interrupted.
NOTE = "interruption: "


@dataclass(frozen=True, slots=True)
class Interruption:
    """When a process is interrupted, and how.

    Args:
        kind: One of `KINDS`.
        at: The number of the file operation before which a signal is sent, or from which on the
            disk is full, from 1.
    """

    kind: str
    at: int

    @property
    def signal(self) -> signal.Signals | None:
        """The signal; None where the disk is full."""
        return None if self.kind == FULL else signal.Signals[self.kind]


class Counter:
    """Counts the file operations of this process below a folder, and interrupts it at one.

    Installed once, it cannot be removed: a process that is counted ends afterwards.

    Args:
        root: The folder.
        interruption: When to interrupt; None only counts.
    """

    def __init__(self, root: Path, interruption: Interruption | None) -> None:
        self.root, self.interruption = f"{root.resolve()}{os.sep}", interruption
        self.count, self.is_noted = 0, False
        self._pid = os.getpid()

    def install(self) -> None:
        """Begin to count."""
        sys.addaudithook(self._hear)
        sqlalchemy.event.listen(sqlalchemy.Engine, "commit", self._hear_commit)

    def _hear_commit(self, connection: sqlalchemy.Connection) -> None:
        # sqlite begins a transaction with the first change: reading is in none.
        if getattr(connection.connection.dbapi_connection, "in_transaction", True):
            self._hear(_COMMIT, (connection.engine.url.database,))

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._changes_a_file(event, arguments) or os.getpid() != self._pid:
            return
        self.count += 1
        if self.interruption is None or self.count < self.interruption.at:
            return
        number = self.interruption.signal
        if number is None and event in _GROWS:
            self._note(event, arguments)
            raise _full(event, arguments[0])
        if number is not None and self.count == self.interruption.at:
            self._note(event, arguments)
            os.kill(self._pid, number)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.is_noted and self.interruption is not None:
            self.is_noted = True
            os.write(2, f"{NOTE}{self.interruption.kind} before {event} {arguments}\n".encode())

    def _changes_a_file(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return False
        elif event not in _CHANGES:
            return False
        start = _folder(arguments[-1]) if event in _RELATIVE else Path()
        return any(self._is_below(arguments[n], start) for n in _CHANGES.get(event, (0,)))

    def _is_below(self, path: object, start: Path) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return os.path.abspath(start / os.fsdecode(path)).startswith(self.root)  # noqa: PTH100


def _folder(number: object) -> Path:
    """Return the folder behind a file descriptor, the working directory for none."""
    is_given = isinstance(number, int) and number >= 0
    return Path(f"/proc/self/fd/{number}").readlink() if is_given else Path()


def _full(event: str, path: object) -> Exception:
    """Return what is raised where the disk is full."""
    if event == _COMMIT:
        cause = sqlite3.OperationalError("database or disk is full")
        return sqlalchemy.exc.OperationalError("COMMIT", None, cause)
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
