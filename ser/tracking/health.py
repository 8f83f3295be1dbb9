"""Whether a local tracking database is sound, and mending one that was moved."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ser import lineage, sqlite
from ser.tracking import database, place

# Every column in which MLflow 3.17 keeps the absolute path of a folder.
_PATH_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True, slots=True)
class Health:
    """What an examination of a local database found.

    Args:
        path: The database file.
        problem: Why it cannot be read at all, or None.
        integrity: `ok`, or what sqlite's own check complains about.
        schema: Revision of the tables; empty where MLflow has not made any.
        expected_schema: Revision that the installed MLflow works with.
        journal_mode: `wal` unless something changed it.
        locked: Another process holds the write lock just now.
        moved_from: Folders that artifacts are recorded under since before the project moved.
    """

    path: Path
    problem: str | None = None
    integrity: str = "ok"
    schema: str = ""
    expected_schema: str = ""
    journal_mode: str = ""
    locked: bool = False
    moved_from: tuple[str, ...] = ()


def examine(path: Path, *, lock_timeout_s: float = 2.0) -> Health:
    """Look at a local database without changing it.

    Args:
        path: An existing sqlite file.
        lock_timeout_s: How long to wait for a writer before calling it locked, in seconds.

    Returns:
        What was found; nothing is raised for a damaged file.
    """
    try:
        with closing(sqlite3.connect(path, timeout=lock_timeout_s)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            (integrity,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            revision = (
                connection.execute("SELECT version_num FROM alembic_version").fetchone()
                if "alembic_version" in tables
                else None
            )
            moved = _moved_from(connection, path) if "experiments" in tables else ()
            locked = not _can_write(connection)
    except sqlite3.DatabaseError as error:
        return Health(path, problem=str(error))
    schema = "" if revision is None else str(revision[0])
    return Health(path, None, str(integrity), schema, _expected(), str(mode), locked, moved)


def _expected() -> str:
    """Return the revision that the installed MLflow works with."""
    if lineage.package_versions(["mlflow"])["mlflow"] == database.VERSION:
        return database.SCHEMA
    # Here, not at the top: MLflow takes seconds, and is seldom another than the pinned one.
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def _can_write(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    connection.rollback()
    return True


def _moved_from(connection: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    """Return foreign folders that hold experiments laid out as this project does it."""
    rows = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
    found = {place.former_folder(path, name, location) for name, location in rows}
    return tuple(sorted(folder for folder in found if folder is not None))


def relocate(path: Path) -> int:
    """Point the artifact paths in a moved project's database at where it is now.

    A copy of the database as it was is kept beside it as `<name>.before-move`.

    Args:
        path: The database file.

    Returns:
        How many paths were rewritten.
    """
    with closing(sqlite3.connect(path, timeout=sqlite.LOCK_TIMEOUT_S)) as connection:
        moved = _moved_from(connection, path)
        if not moved:
            return 0
        with closing(sqlite3.connect(f"{path}.before-move")) as copy:
            connection.backup(copy)
        changed = 0
        with connection:
            for old in moved:
                for table, column in _PATH_COLUMNS:
                    cursor = connection.execute(
                        # Names come from the constant above, values are bound.
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE substr({column}, 1, ?) = ?",
                        (str(path.parent), len(old) + 1, len(old) + 1, f"{old}/"),
                    )
                    changed += cursor.rowcount
    return changed
