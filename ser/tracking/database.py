"""MLflow's database on this machine, read without MLflow, whose import takes seconds.

For what is asked each time that something is answered or found complete. Whoever reads here leaves
whatever is not as it is every day to MLflow, which then says what is wrong.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

#: Revision of the tables that are read here: that of the pinned MLflow.
SCHEMA = "dc11669786a5"
#: The MLflow that makes them so.
VERSION = "3.17.2"
#: Of MLflow's tables, where there is no other.
WORKSPACE = "default"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that reads and makes no file; others may write meanwhile.

    Args:
        path: The database.

    Raises:
        DatabaseError: Of sqlite3: there is no such database, it is damaged, or of another MLflow.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        (revision,) = one(connection, "SELECT version_num FROM alembic_version") or ("",)
        if revision != SCHEMA:
            raise sqlite3.DatabaseError(f"{path}: of another MLflow, revision {revision}")
        yield connection


def one(
    connection: sqlite3.Connection, query: str, values: tuple[object, ...] = ()
) -> tuple[object, ...] | None:
    """Return the first row of an answer, or None where there is none."""
    row: tuple[object, ...] | None = connection.execute(query, values).fetchone()
    return row
