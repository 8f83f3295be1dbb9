"""A Python that starts at once: forked from one that has imported the large packages.

A stage of the pipeline imports torch, MLflow and pandas for seconds and then works for less. What
is started through a `WarmPython` is as much a process of its own as any other: it has its own id
and memory, the caller's folder, environment and open files, imports this project's code afresh,
ends with its own exit status, and dies of `kill -9`. It belongs to the caller's process group, and
ends when the caller does. Only the packages below are there already.
"""

import contextlib
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: What is imported before the first process is asked for; nothing of this project.
PACKAGES = (
    "accelerate",
    "dvc.cli",
    "dvc.repo",
    "jinja2",
    "librosa",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.system_metrics.system_metrics_monitor",
    "optuna",
    "optuna.visualization.matplotlib",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "safetensors.torch",
    "scipy.signal",
    "scipy.stats",
    "sklearn.covariance",
    "sklearn.linear_model",
    "sklearn.manifold",
    "sklearn.svm",
    "soundfile",
    "soxr",
    "torch",
    "torchaudio",
    "yaml",
)

#: Bytes that say how long a message is.
_HEADER = 8

#: How often the server looks whether a process has ended, in seconds.
_PERIOD_S = 0.01


class WarmProcess:
    """A process that was asked for; the part of `subprocess.Popen` that the tests use."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self.pid = connection, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.returncode = int(_receive(self._connection)["status"])
            self._connection.close()
        return self.returncode

    def wait(self, timeout: float = 300.0) -> int:
        """Return the exit status as soon as there is one.

        Args:
            timeout: How long it is waited for, in seconds.

        Raises:
            TimeoutError: The process still runs then.
        """
        if self.returncode is None and not select.select([self._connection], [], [], timeout)[0]:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
        status = self.poll()
        assert status is not None
        return status

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class WarmPython:
    """Starts processes; `executable` stands for the interpreter where a program starts its own.

    Args:
        folder: Where `bin/python` is written.
        address: The socket of the server.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._address = address
        self.executable = folder / "bin" / "python"
        self.executable.parent.mkdir(parents=True)
        # Without the site module, which the caller does not need: it starts in milliseconds.
        words = [sys.executable, "-ISE", str(Path(__file__).resolve()), "call", address]
        quoted = " ".join(f"'{word}'" for word in words)
        self.executable.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n', encoding="utf-8")
        self.executable.chmod(0o755)

    def start(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> WarmProcess:
        """Start `python <arguments>` without input and output.

        Args:
            arguments: `-m module ...`, `-c code ...` or `script ...`.
            cwd: Its working directory.
            env: Its whole environment.
        """
        with Path(os.devnull).open("r+b") as nothing:
            return _ask(self._address, arguments, cwd, env, [nothing.fileno()] * 3)


@contextlib.contextmanager
def serve(folder: Path, environment: Mapping[str, str]) -> Iterator[WarmPython]:
    """Keep a server for the length of the block.

    Args:
        folder: An empty one, for the executable.
        environment: In which the packages are imported; a process has the one it is given.
    """
    # Not below `folder`: the path of a socket may have some hundred bytes only.
    place = tempfile.mkdtemp(prefix="ser-")
    address = os.path.join(place, "socket")  # noqa: PTH118
    command = [sys.executable, str(Path(__file__).resolve()), "serve", address]
    # The server ends when its stdin does, so it outlives no test session.
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=dict(environment)) as server:
        try:
            limit = time.monotonic() + 600
            while not Path(address).exists():
                assert server.poll() is None, "the server of warm processes has ended"
                assert time.monotonic() < limit
                time.sleep(_PERIOD_S)
            yield WarmPython(folder, address)
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(30)
            shutil.rmtree(place, ignore_errors=True)


def _ask(
    address: str,
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    files: Sequence[int],
) -> WarmProcess:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    request = {
        "arguments": list(arguments),
        "cwd": str(cwd),
        "environment": dict(env),
        "session": os.getsid(0),
        "group": os.getpgrp(),
    }
    socket.send_fds(connection, [b"f"], list(files))
    _send(connection, request)
    return WarmProcess(connection, int(_receive(connection)["pid"]))


def _send(connection: socket.socket, content: Mapping[str, object]) -> None:
    body = json.dumps(content).encode()
    connection.sendall(len(body).to_bytes(_HEADER, "big") + body)


def _receive(connection: socket.socket) -> dict[str, object]:
    size = int.from_bytes(_read(connection, _HEADER), "big")
    found: dict[str, object] = json.loads(_read(connection, size))
    return found


def _read(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ConnectionError("the server of warm processes has gone")
        content += part
    return content


def _listen(address: str) -> dict[str, object]:
    """Answer requests until stdin ends; return the request in the process that is to run it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen()
    os.rename(f"{address}.new", address)  # noqa: PTH104
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, 0, *running.values()], [], [], _PERIOD_S)
        for pid in [pid for pid, connection in running.items() if connection in ready]:
            os.kill(pid, signal.SIGKILL)  # a caller says nothing more: it has ended
        if 0 in ready:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        if listener in ready:
            connection, _ = listener.accept()
            _, files, _, _ = socket.recv_fds(connection, 1, 3)
            request = _receive(connection)
            pid = os.fork()
            if pid == 0:
                for used in (listener, connection, *running.values()):
                    used.close()
                for target, file in enumerate(files):
                    os.dup2(file, target)
                    os.close(file)
                _join(request)
                return request
            for file in files:
                os.close(file)
            running[pid] = connection
            _send(connection, {"pid": pid})
        _reap(running)


def _join(request: Mapping[str, object]) -> None:
    """Belong to the caller's process group: who ends all of that ends this process too."""
    if request["session"] == os.getsid(0):
        with contextlib.suppress(OSError):  # it has ended, and this process is about to
            os.setpgid(0, int(str(request["group"])))


def _reap(running: dict[int, socket.socket]) -> None:
    """Tell of the processes that have ended."""
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as connection, contextlib.suppress(OSError):
                _send(connection, {"status": os.waitstatus_to_exitcode(status)})


def _run(request: Mapping[str, object]) -> None:
    """Be the process that was asked for."""
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    kind, *rest = request["arguments"]  # type: ignore[misc]
    path = os.environ.get("PYTHONPATH")
    sys.path[:0] = path.split(os.pathsep) if path else []
    if kind == "-m":
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = [rest[0], *rest[1:]]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    else:
        sys.path.insert(0, str(Path(kind).parent))
        sys.argv = [kind, *rest]
        runpy.run_path(kind, run_name="__main__")


def _call(address: str, arguments: Sequence[str]) -> int:
    """Have a process run in place of this one; its exit status, as a shell says it."""
    status = _ask(address, arguments, Path.cwd(), os.environ, (0, 1, 2)).wait(timeout=3600.0)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    if sys.argv[1] == "call":
        sys.exit(_call(sys.argv[2], sys.argv[3:]))
    # This file's folder is no place to import from.
    sys.path.pop(0)
    for name in PACKAGES:
        __import__(name)
    gc.collect()
    gc.freeze()
    _run(_listen(sys.argv[2]))
