"""A tracking server of the pinned MLflow, as a team would share one."""

import contextlib
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import processes


@dataclass(frozen=True, slots=True)
class TrackingServer:
    """A server that can be started again at the same address.

    Args:
        folder: Where it works.
        database: Its backend store.
        artifacts: Where it puts artifacts, which only the server reads and writes.
        env: What it needs of the environment beside this process' own.
        port: Where it listens.
    """

    folder: Path
    database: str
    artifacts: str
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=processes.free_port)

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self, stop: signal.Signals = signal.SIGTERM) -> Iterator[str]:
        """Run it until the block ends, with a signal; give its address."""
        command = [sys.executable, "-m", "mlflow", "server", "--serve-artifacts", "--workers", "1"]
        command += ["--backend-store-uri", self.database]
        command += ["--artifacts-destination", self.artifacts]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        environment = {**os.environ, **self.env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        with processes.running(command, self.folder, self._answers, env=environment, stop=stop):
            yield self.uri

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return True
        except urllib.error.URLError:
            return False


class Switched:
    """A server that a test starts, kills and starts again, from any thread.

    Args:
        server: Not running.
    """

    def __init__(self, server: TrackingServer) -> None:
        self.uri = server.uri
        self._server, self._running = server, contextlib.ExitStack()

    def start(self) -> None:
        """Return as soon as it answers."""
        self._running.enter_context(self._server.running(signal.SIGKILL))

    def kill(self) -> None:
        """End it as `kill -9` does, if it runs."""
        self._running.close()


def on_files(folder: Path) -> TrackingServer:
    """Return a server over an sqlite database and a folder of artifacts."""
    return TrackingServer(folder, f"sqlite:///{folder / 'server.db'}", str(folder / "artifacts"))
