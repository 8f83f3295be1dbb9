"""A tracking server of the pinned MLflow, as a team would share one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_READY_S = 90.0
_STOP_S = 10.0


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Start `mlflow server` on a free port of this machine; give its address; end it for certain.

    Args:
        folder: Of its database and of the artifacts, which only the server reads and writes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--serve-artifacts", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    log = folder / "server.log"
    with log.open("wb") as output:
        # A session of its own, so that its workers can be ended with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with _ended_with_this_process(process):
        uri = f"http://127.0.0.1:{port}"
        _wait(process, uri, log)
        yield uri


def _wait(process: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    """Return as soon as the server answers."""
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mlflow server did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


@contextlib.contextmanager
def _ended_with_this_process(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the server and all that it started: after the block, or when this process is killed."""
    # Its input ends when this process does, however that comes about.
    command = ["sh", "-c", f"read -r _; kill -KILL -- -{process.pid}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as guard:
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            assert guard.stdin is not None
            guard.stdin.close()
    process.wait(_STOP_S)
