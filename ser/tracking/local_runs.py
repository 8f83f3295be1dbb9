"""What a database on this machine holds of an experiment, read without MLflow.

Enough to see that nothing is missing. Where something is, or where the store is not such a
database, the answer is None or False, and `ser.tracking.mlflow_tracker` and
`ser.tracking.leaderboard` look themselves.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ser.tracking import database, place, views
from ser.tracking.recording import RUN_KEY

_ACTIVE, _RUNNING, _FINISHED = "active", "RUNNING", "FINISHED"


@dataclass(frozen=True, slots=True)
class LocalExperiment:
    """An experiment as the database has it.

    Args:
        id: MLflow's.
        tags: The experiment's own.
        recorded: Run key -> tags of the runs that are recorded to their end, of each key the
            latest.
        cells: The params of the runs that its leaderboard shows.
    """

    id: str
    tags: Mapping[str, str]
    recorded: dict[str, dict[str, str]]
    cells: list[dict[str, str]]

    def is_described(self, note: str, tags: Mapping[str, str]) -> bool:
        """Return whether it has the note and tags that it would be opened with."""
        wanted = views.experiment_tags(note, tags, self.id, self.tags)
        return all(self.tags.get(key) == value for key, value in wanted.items())

    @property
    def shows_its_cells(self) -> bool:
        """Whether its leaderboard shows the params that its cells differ in."""
        return self.tags.get(views.TAG) == views.of_cells(self.tags, self.cells)


def find(uri: str, name: str) -> LocalExperiment | None:
    """Return an experiment of a local database.

    Args:
        uri: Tracking URI.
        name: `ser/<task>/<protocol>`.
    """
    path = place.database_path(uri)
    if path is None:
        return None
    try:
        with database.opened(path) as connection:
            return _experiment(connection, path, name)
    except sqlite3.Error:
        return None


def has_none_running(uri: str) -> bool:
    """Return whether the store is a local database in which no run is marked RUNNING."""
    path = place.database_path(uri)
    if path is None:
        return False
    try:
        with database.opened(path) as connection:
            query = "SELECT 1 FROM runs WHERE status = ?"
            return database.one(connection, query, (_RUNNING,)) is None
    except sqlite3.Error:
        return False


def _experiment(connection: sqlite3.Connection, path: Path, name: str) -> LocalExperiment | None:
    found = database.one(
        connection,
        "SELECT experiment_id, artifact_location FROM experiments "
        "WHERE workspace = ? AND name = ? AND lifecycle_stage = ?",
        (database.WORKSPACE, name, _ACTIVE),
    )
    if found is None or place.former_folder(path, name, str(found[1] or "")):
        return None
    number = found[0]
    tags = dict(
        connection.execute(
            "SELECT key, value FROM experiment_tags WHERE experiment_id = ?", (number,)
        ).fetchall()
    )
    recorded: dict[str, dict[str, str]] = {}
    for of_run in _values(connection, "tags", number, "r.status = ?", (_FINISHED,)):
        if RUN_KEY in of_run:
            recorded.setdefault(of_run[RUN_KEY], of_run)
    is_cell = "EXISTS (SELECT 1 FROM tags WHERE run_uuid = r.run_uuid AND key = ? AND value = ?)"
    cells = _values(connection, "params", number, is_cell, views.mark(views.headline_of(tags)))
    return LocalExperiment(str(number), tags, recorded, cells)


def _values(
    connection: sqlite3.Connection,
    table: str,
    experiment: object,
    condition: str,
    values: tuple[str, ...],
) -> list[dict[str, str]]:
    """Return key -> value of a table for each run that a condition holds for, the latest first."""
    rows = connection.execute(
        # Names and conditions are written out above, values are bound.
        f"SELECT r.run_uuid, t.key, t.value FROM runs r "
        f"LEFT JOIN {table} t ON t.run_uuid = r.run_uuid "
        f"WHERE r.experiment_id = ? AND r.lifecycle_stage = ? AND {condition} "
        f"ORDER BY r.start_time DESC, r.run_uuid",
        (experiment, _ACTIVE, *values),
    )
    found: dict[str, dict[str, str]] = {}
    for run_id, key, value in rows:
        of_run = found.setdefault(run_id, {})
        if key is not None:
            of_run[key] = value
    return list(found.values())
