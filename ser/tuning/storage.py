"""Where studies are kept: Optuna's database, opened so that several processes can share it."""

import hashlib
import inspect
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import (
    DuplicatedStudyError,
    ExperimentalWarning,
    StorageInternalError,
    UpdateFinishedTrialError,
)
from optuna.storages import RDBStorage
from sqlalchemy.pool import NullPool

from ser import sqlite
from ser.errors import SerError, TuningError, translating
from ser.wording import without_password

#: A worker says that it lives this often, in seconds.
HEARTBEAT_S = 30

#: A worker of another machine that has not said so for this long is dead, in seconds.
GRACE_S = 300

_LOCK_TIMEOUT_S = 60.0

#: What Optuna promises of any storage, and waits for itself: answers, no failures.
_ANSWERS = (KeyError, DuplicatedStudyError, UpdateFinishedTrialError)

#: What Optuna's cache calls beside the public methods. The others are called inside these, where
#: Optuna waits for the errors of its driver and tries again.
_CALLED_BY_CACHE = frozenset(
    {
        *("_create_new_trial", "_get_best_trial_id", "_get_stale_trial_ids", "_get_trials"),
        "_set_trial_param",
    }
)


class Storage(RDBStorage):
    """A database of studies; what its driver raises is one error that names the storage.

    Optuna calls it from everywhere, also while a trial trains: so each of its methods says its
    own failures, and none of training's.
    """

    def __getattribute__(self, name: str) -> Any:
        """Return a method that raises `TuningError` or Optuna's answers, or another attribute."""
        value = super().__getattribute__(name)
        is_called = not name.startswith("_") or name in _CALLED_BY_CACHE
        return _as_ours(value) if is_called and inspect.ismethod(value) else value


def _as_ours(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a storage that says what goes wrong below it as an error of ours."""

    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except (SerError, *_ANSWERS):
            raise
        except Exception as error:
            raise _failed(method.__self__.url, error) from error  # type: ignore[attr-defined]

    return call


def resolve(url: str, root: Path) -> str:
    """Return the URL of the storage, a path in it made absolute.

    Args:
        url: Of params.yaml; OPTUNA_STORAGE in the environment wins.
        root: The project's root, which a relative path starts from.
    """
    chosen = os.environ.get("OPTUNA_STORAGE") or url
    path = sqlite.file_of(chosen)
    return chosen if path is None else f"{sqlite.PREFIX}{(root / path).resolve()}"


def is_local(url: str) -> bool:
    """Return whether the storage is a file, which only this machine's processes share."""
    return sqlite.file_of(url) is not None


def connect(url: str) -> Storage:
    """Open the storage, creating and initialising a local database that is not there yet.

    Args:
        url: From `resolve`.

    Returns:
        The storage; it keeps heartbeats.

    Raises:
        TuningError: It cannot be used.
        OSError: The disk of a local database is full.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = sqlite.file_of(url)
    if path is None:
        # Of two programs that meet an empty database, one fails: both make its tables.
        with alone(url, "tables"):
            return _open(url)
    with sqlite.opening(path, _initialise):
        storage = _open(url)
        sqlite.use_write_ahead_log(path)
        return storage


def _initialise(path: Path) -> None:
    _open(f"{sqlite.PREFIX}{path}").engine.dispose()


def _open(url: str) -> Storage:
    arguments = {"timeout": _LOCK_TIMEOUT_S} if url.startswith(sqlite.PREFIX) else {}
    with warnings.catch_warnings(), translating(partial(_failed, url)):
        warnings.simplefilter("ignore", ExperimentalWarning)
        return Storage(
            url,
            engine_kwargs={"connect_args": arguments},
            heartbeat_interval=HEARTBEAT_S,
            grace_period=GRACE_S,
        )


@contextmanager
def claiming(url: str) -> Iterator[None]:
    """Hold what keeps two workers from taking one trial.

    A database server locks the trial's row. sqlite cannot, but it has one machine only, and
    there a file will do.
    """
    path = sqlite.file_of(url)
    lock = nullcontext() if path is None else FileLock(path.with_name(f".{path.name}.claim.lock"))
    with lock:
        yield


@contextmanager
def alone(url: str, topic: str) -> Iterator[None]:
    """Keep all other machines that share a PostgreSQL database from a block of the same topic.

    The server lets go of the lock when the connection ends, also that of a killed process. Other
    databases have no such lock: nothing is kept there.

    Args:
        url: Of the storage.
        topic: What is done there, any words.

    Raises:
        TuningError: The database does not answer.
    """
    if not url.startswith("postgresql"):
        yield
        return
    digest = hashlib.sha256(f"{topic} of ser".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    with translating(partial(_failed, url)):
        engine = sqlalchemy.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        connection = engine.connect()
    with connection:
        with translating(partial(_failed, url)):
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": key})
        yield


def _failed(url: str, error: Exception) -> TuningError:
    """Return what a failure of the database means, of whatever driver it is.

    Raises:
        OSError: The disk of a local database is full.
    """
    # Optuna says of each failure the same two sentences; its cause says which it is.
    said = error.__cause__ if isinstance(error, StorageInternalError) else None
    text = str(said or error).strip()
    path = sqlite.file_of(url)
    if path is not None:
        sqlite.require_room(path, text)
    first = text.splitlines()[0] if text else type(error).__name__
    if isinstance(said or error, ModuleNotFoundError):
        return TuningError(
            f"study storage {without_password(url)}: {first}, its driver; for PostgreSQL "
            f"`pip install -c constraints.txt -e '.[team]'` brings psycopg2, and the address is "
            f"postgresql+psycopg2://..."
        )
    return TuningError(
        f"study storage {without_password(url)}: {first}; correct tuning.storage or "
        f"OPTUNA_STORAGE, or move a damaged file aside"
    )
