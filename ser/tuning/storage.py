"""Where studies are kept: Optuna's database, opened so that several processes can share it."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import optuna
import sqlalchemy.exc
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage

from ser import sqlite
from ser.errors import TuningError
from ser.wording import without_password

#: A worker says that it lives this often, in seconds.
HEARTBEAT_S = 30

#: A worker of another machine that has not said so for this long is dead, in seconds.
GRACE_S = 300

_LOCK_TIMEOUT_S = 60.0


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


def connect(url: str) -> RDBStorage:
    """Open the storage, creating and initialising a local database that is not there yet.

    Args:
        url: From `resolve`.

    Returns:
        The storage; it keeps heartbeats.

    Raises:
        TuningError: It cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = sqlite.file_of(url)
    with translated(url):
        if path is None:
            return _open(url)
        with sqlite.opening(path, _initialise):
            storage = _open(url)
            sqlite.use_write_ahead_log(path)
            return storage


def _initialise(path: Path) -> None:
    _open(f"{sqlite.PREFIX}{path}").engine.dispose()


def _open(url: str) -> RDBStorage:
    arguments = {"timeout": _LOCK_TIMEOUT_S} if url.startswith(sqlite.PREFIX) else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
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
def translated(url: str) -> Iterator[None]:
    """Say the database's errors as one that names the storage.

    Raises:
        TuningError: The database failed.
        RuntimeError: Something else failed.
    """
    try:
        yield
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError, RuntimeError, ImportError) as e:
        if isinstance(e, RuntimeError) and "optuna" not in str(e).lower():
            raise
        first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise TuningError(
            f"study storage {without_password(url)}: {first}; correct tuning.storage or "
            f"OPTUNA_STORAGE, or move a damaged file aside"
        ) from e
