"""Ray nodes on this machine, each a process group with an address and a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import tiers

TOKEN = "0123456789abcdef" * 4

#: Not Ray's own half a minute: how soon a node that does not answer is held for dead.
_SETTINGS = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_START_S = 90.0


def environment(folder: Path, token: str | None = TOKEN) -> dict[str, str]:
    """The environment of a process that runs the project of a folder, and no other."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "COVERAGE", "COV_"))}
    with_token = {} if token is None else {"RAY_AUTH_TOKEN": token}
    mode = "disabled" if token is None else "token"
    # The code of the folder; the home holds no token of whoever runs the tests.
    own = {"PYTHONPATH": str(folder), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    return {**kept, **_SETTINGS, **own, **with_token, "RAY_AUTH_MODE": mode}


class RayNode:
    """A node that is up.

    Args:
        folder: Its project.
        ip: Of 127.0.0.0/8.
        head: Address of the head; None makes it one.
        temp: Short: sockets lie in it, whose paths may not be long.
    """

    def __init__(
        self,
        folder: Path,
        ip: str,
        temp: Path,
        head: str | None = None,
        token: str | None = TOKEN,
        num_cpus: int = 1,
        changes: Mapping[str, str] | None = None,
    ) -> None:
        tiers.starters.require_system("a node")
        port = free_port(ip)
        self.address = head or f"{ip}:{port}"
        self.folder, self.ip, self.temp = folder, ip, temp
        alone = ["--head", f"--port={port}", f"--temp-dir={temp}", "--include-dashboard=false"]
        role = alone if head is None else [f"--address={head}"]
        self.log = folder / "ray.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                    *(*role, f"--node-ip-address={ip}", f"--num-cpus={num_cpus}"),
                    *("--object-store-memory=80000000", "--disable-usage-stats"),
                ],
                cwd=folder,
                env={**environment(folder, token), **(changes or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + _START_S
        while "--block" not in (said := self.log.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.1)

    def kill(self) -> None:
        """`kill -9` of all its processes; `ray stop` would end those of others, too."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def killing(*nodes: RayNode):
    """End nodes with the block."""
    try:
        yield
    finally:
        for node in nodes:
            node.kill()


def free_port(ip: str) -> int:
    with socket.socket() as listener:
        listener.bind((ip, 0))
        return listener.getsockname()[1]
