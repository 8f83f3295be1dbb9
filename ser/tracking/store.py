"""The tracking store behind MLflow: where it is, how it is opened safely."""

import logging
import os
import re
import socket
import sqlite3
import ssl
import tempfile
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy.exc
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ser.errors import TrackingError

logger = logging.getLogger(__name__)

#: How long a writer waits for another one to let go of the database, in seconds.
LOCK_TIMEOUT_S = 20.0

#: How long a tracking server may take to say that it is alive, in seconds.
HEALTH_TIMEOUT_S = 3.0

_SQLITE = "sqlite:///"


def default_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, or the project's own database mlruns/mlflow.db."""
    path = (root / "mlruns" / "mlflow.db").resolve()
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{path}"


def database_path(uri: str) -> Path | None:
    """Return the file behind an sqlite URI, absolute; None for any other store.

    Example:
        >>> database_path("http://localhost:5000") is None
        True
    """
    if not uri.startswith(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE)).resolve()


def artifact_folder(database: Path, experiment: str) -> Path:
    """Return where an experiment's artifacts lie: beside the database, by its name."""
    return database.parent / experiment.replace("/", "-")


def connect(uri: str) -> MlflowClient:
    """Open the store, creating and initialising a local database that is not there yet.

    Args:
        uri: Tracking URI.

    Returns:
        A client that works; MLflow's global state is left alone.

    Raises:
        TrackingError: The server does not answer, or the database is locked, damaged, or of
            another MLflow's schema. Said within seconds, with the cure.
    """
    if uri.startswith(("http://", "https://")):
        _check_server(uri)
    database = database_path(uri)
    if database is None:
        with translated(uri):
            return MlflowClient(uri)
    database.parent.mkdir(parents=True, exist_ok=True)
    # Two processes that meet a fresh database together break it for good.
    with FileLock(database.parent / ".init.lock"):
        if not database.exists() or database.stat().st_size == 0:
            _create(database)
        _check_database(database)
        return _open(database)


def _open(database: Path) -> MlflowClient:
    """Return a client whose database has been opened."""
    uri = f"{_SQLITE}{database}"
    with translated(uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", sqlalchemy.exc.SADeprecationWarning)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    _use_write_ahead_log(database)
    return client


def _create(database: Path) -> None:
    """Initialise a database elsewhere and put it in place whole.

    MLflow makes its tables in some sixty steps and cannot go on after an interruption
    among them; a process killed here leaves no database instead of half a one.
    """
    part = database.with_name(f"{database.name}.part")
    part.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / database.name
        _open(scratch)
        with closing(sqlite3.connect(scratch)) as made, closing(sqlite3.connect(part)) as target:
            made.backup(target)
    part.replace(database)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Say MLflow's and the database's errors as one that names the store.

    Raises:
        TrackingError: Either failed.
    """
    try:
        yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError) as error:
        text = str(error)
        if "out-of-date database schema" in text or "Can't locate revision" in text:
            cure = (
                "the database belongs to another version of MLflow: install the pinned one "
                "(`pip install -c constraints.txt mlflow`), or back the file up and run "
                f"`mlflow db upgrade {uri}`"
            )
        elif re.search(r"OperationalError.*(already exists|duplicate column)", text):
            cure = (
                "another program began to initialise it and was interrupted: move the file aside "
                "and run `ser restore-runs`, which fills a new one from runs/"
            )
        elif "file store" in text.lower() or "filesystem" in text.lower():
            cure = "set MLFLOW_TRACKING_URI to a database (sqlite:///...) or a server, or unset it"
        else:
            cure = "`ser doctor` says what is wrong with the store"
        first = text.strip().splitlines()[0] if text.strip() else type(error).__name__
        raise TrackingError(f"tracking store {uri}: {first}; {cure}") from error


def _check_server(uri: str) -> None:
    """Raise TrackingError unless something answers at the server's address."""
    cure = "start the server, correct MLFLOW_TRACKING_URI, or unset it to record under mlruns/"
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=HEALTH_TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        # 401, 403 and 404 come from a living server that keeps no public health page.
        if error.code >= 500:
            raise TrackingError(f"tracking server {uri}: answers {error.code}; {cure}") from error
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return  # alive; MLflow's own client has the settings for its certificate
        raise TrackingError(f"tracking server {uri}: no answer ({reason}); {cure}") from error


def _check_database(path: Path) -> None:
    """Raise TrackingError if a database cannot be written; MLflow would retry for minutes."""
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.DatabaseError as error:
        locked = "locked" in str(error)
        cure = (
            f"another process has held it for {LOCK_TIMEOUT_S:g} s: end that process"
            if locked
            else "move the file aside and run `ser restore-runs`, which fills a new one from runs/"
        )
        raise TrackingError(f"tracking database {path}: {error}; {cure}") from error


def _use_write_ahead_log(path: Path) -> None:
    """Let readers and a writer work side by side; kept as it is where that is refused."""
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)) as connection:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            logger.warning("tracking database %s: no write-ahead log: %s", path, error)


def former_folder(database: Path, experiment: str, location: str) -> str | None:
    """Return the folder a database lay in when an experiment was made, if it has moved.

    Args:
        database: Where it lies now.
        experiment: The experiment's name.
        location: Where MLflow believes its artifacts are.

    Returns:
        The old folder, or None if it has not moved or the location was chosen by hand.
    """
    folder = artifact_folder(database, experiment)
    if not location or location == str(folder) or Path(location).name != folder.name:
        return None
    return str(Path(location).parent)


def find_run(client: MlflowClient, run_id: str, uri: str) -> Run:
    """Return a run by MLflow's id.

    Args:
        client: From `connect`.
        run_id: 32 hexadecimal digits, as the run's page shows it.
        uri: The store, named in errors.

    Raises:
        TrackingError: There is no such run, or the store fails.
    """
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            with translated(uri):
                raise
        raise TrackingError(
            f"tracking store {uri}: there is no run {run_id!r}; `make ui` shows the runs, "
            "each with its id"
        ) from error


def host() -> str:
    """Return this machine's name, as recorded with every run."""
    return socket.gethostname()
