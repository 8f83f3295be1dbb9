"""A signal at the k-th file operation of a process, counted by an audit hook."""

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

#: The signals of the campaign.
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Interruption:
    """When a process is interrupted, and how.

    Args:
        signal: What it is sent.
        at: The number of the file operation before which it is sent, from 1.
    """

    signal: signal.Signals
    at: int


class Counter:
    """Counts the file operations of this process below a folder, and interrupts it at one.

    Installed once, it cannot be removed: a process that is counted ends afterwards.

    Args:
        root: The folder.
        interruption: When to interrupt; None only counts.
    """

    def __init__(self, root: Path, interruption: Interruption | None) -> None:
        self.root, self.interruption = f"{root.resolve()}{os.sep}", interruption
        self.count, self.last = 0, ""
        self._pid = os.getpid()

    def install(self) -> None:
        """Begin to count."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._changes_a_file(event, arguments) or os.getpid() != self._pid:
            return
        self.count += 1
        if self.interruption is not None and self.count == self.interruption.at:
            os.write(2, f"{self.interruption.signal.name} before {event} {arguments}\n".encode())
            os.kill(self._pid, self.interruption.signal)

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
