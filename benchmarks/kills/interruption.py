"""A signal, or a full disk, at the k-th file operation of a process, counted by an audit hook."""

import errno
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

#: Audit events that change files, beside `open` for writing; each names the path first.
_CHANGES = frozenset(
    {
        "os.chmod",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "shutil.copyfile",
        "shutil.copytree",
        "shutil.move",
        "shutil.rmtree",
        "sqlite3.connect",
    }
)

#: Those of them that need space.
_GROWS = frozenset({"open", "os.link", "os.mkdir", "os.symlink", "shutil.copyfile"})

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

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._changes_a_file(event, arguments) or os.getpid() != self._pid:
            return
        self.count += 1
        if self.interruption is None or self.count < self.interruption.at:
            return
        number = self.interruption.signal
        if number is None and event in _GROWS:
            self._note(event, arguments)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])
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
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return os.path.abspath(os.fsdecode(path)).startswith(self.root)  # noqa: PTH100
