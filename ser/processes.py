"""Which process did something, and whether it has ended since."""

import os
import socket
from dataclasses import dataclass

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
    def has_ended(self) -> bool:
        """Whether it is known to have ended; of another machine's process nothing is known."""
        if self.host != socket.gethostname():
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
