"""A server as a child of this process, which it does not outlive."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests import tiers

_READY_S = 90.0
_STOP_S = 30.0


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    is_ready: Callable[[], bool],
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run a server until the block ends, or until this process does, however that comes about.

    Args:
        command: The server, in the foreground.
        folder: Where it works; its output is appended to `<program>.log` there.
        is_ready: Whether it answers; an OSError says that it does not yet.
        env: Its environment; None is this process' own.
        user: Whom it runs as; None is whoever runs this process.
        stop: The signal that ends it in order.
    """
    tiers.starters.require_system("a server")
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("ab") as output:
        # A session of its own, so that all that it starts can be ended with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=None if env is None else dict(env),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    with _ended_with_this_process(process, stop):
        _wait(process, is_ready, log)
        yield


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        with contextlib.suppress(OSError):
            if is_ready():
                return
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")
            raise AssertionError(f"{shlex.join(map(str, process.args))} did not start:\n{said}")
        time.sleep(0.1)


@contextlib.contextmanager
def _ended_with_this_process(
    process: subprocess.Popen[bytes], stop: signal.Signals
) -> Iterator[None]:
    # Its input ends when this process does, however that comes about.
    command = ["sh", "-c", f"read -r _; kill -s KILL -- -{process.pid}"]
    # Nor does what ends the whole group of this process end the guard first.
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, start_new_session=True) as guard:
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, stop)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            assert guard.stdin is not None
            guard.stdin.close()
    process.wait(_STOP_S)
