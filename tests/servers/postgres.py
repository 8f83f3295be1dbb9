"""A PostgreSQL server: that of `SER_POSTGRES`, of Debian's package, or of the search path."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers import processes

_USER, _PASSWORD = "ser", "not-a-secret"

#: Debian's package makes a user of this name; PostgreSQL refuses to run as root.
_PLAIN_USER = "postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that answers on this machine.

    Args:
        port: Where.
    """

    port: int

    def url(self, database: str) -> str:
        """Return the address of a database, with its password."""
        return f"postgresql+psycopg2://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database; return its address."""
        import psycopg2

        address = self.url("postgres").replace("+psycopg2", "")
        with contextlib.closing(psycopg2.connect(address)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f'CREATE DATABASE "{database}"')
        return self.url(database)


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None where it is not installed."""
    if said := os.environ.get("SER_POSTGRES"):
        return Path(said)
    if debian := sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version):
        return debian[-1].parent
    found = shutil.which("postgres")
    return None if found is None else Path(found).resolve().parent


def _version(program: Path) -> float:
    return float(program.parts[-3])


@contextlib.contextmanager
def serve() -> Iterator[Postgres]:
    """Start a new cluster on a free port of this machine; end it and remove its files."""
    where = programs()
    assert where is not None
    user = _PLAIN_USER if os.geteuid() == 0 else None
    # Not below pytest's folders, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="ser-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        password = folder / "password"
        password.write_text(_PASSWORD)
        if user is not None:
            for path in (folder, password):
                shutil.chown(path, user, user)
        data = folder / "data"
        command = [where / "initdb", "--pgdata", data, "--username", _USER, "--no-sync"]
        command += ["--auth", "scram-sha-256", "--pwfile", password, "--encoding", "UTF8"]
        groups = None if user is None else []
        subprocess.run(
            command, check=True, capture_output=True, cwd=folder,
            user=user, group=user, extra_groups=groups,
        )  # fmt: skip
        port = processes.free_port()
        command = [where / "postgres", "-D", data, "-p", port]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"):
            command += ["-c", setting]

        def is_ready() -> bool:
            with socket.create_connection(("127.0.0.1", port), timeout=2):
                return (data / "postmaster.pid").read_text().rstrip().endswith("ready")

        with processes.running([str(word) for word in command], folder, is_ready, user=user):
            yield Postgres(port)
