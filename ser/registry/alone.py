"""One change of a registry at a time, whoever else works on it and from where.

Beside a database a lock file serves all who use it. A server has no lock to offer, but it makes
only one registered model of a name: whoever has made `<model>.lock` may change the model.
"""

import getpass
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ser.errors import RegistryError
from ser.processes import Process, this_process
from ser.project import Project
from ser.tracking import store
from ser.wording import without_password

TIMEOUT_S = 30.0
_PERIOD_S = 0.2
_TOKEN = "ser.lock"

#: What MLflow says of a name that is taken; the second, where it is free again when MLflow looks
#: whose it is.
_ANOTHER_S = ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST")

_NOTE = (
    "Somebody is changing the aliases of the model just now. Delete this entry only if the process "
    "in its tags has ended."
)


@contextmanager
def alone(client: MlflowClient, uri: str, root: Path, model: str) -> Iterator[None]:
    """Hold the lock of a registered model: two changes of its aliases never interleave.

    Args:
        client: Speaks to the registry.
        uri: The store with the registry.
        root: The project's root.
        model: Name of the registered model.

    Raises:
        RegistryError: Somebody else has held the lock for too long; says who.
        TrackingError: The registry cannot be asked.
    """
    database = store.database_path(uri)
    folder = Project(root).locks if database is None else database.parent
    with _file_lock(folder, uri):
        if database is not None:
            yield
        else:
            with _entry(client, uri, f"{model}.lock"):
                yield


@contextmanager
def _file_lock(folder: Path, uri: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".registry.lock")
    try:
        lock.acquire(timeout=TIMEOUT_S)
    except Timeout as error:
        raise RegistryError(
            f"registry {without_password(uri)}: another process has been changing it for "
            f"{TIMEOUT_S:g} s; wait for it or end it (it holds {lock.lock_file})"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _entry(client: MlflowClient, uri: str, name: str) -> Iterator[None]:
    """Hold a lock on the server: an entry among the registered models."""
    tags = _tags(this_process())
    limit = time.monotonic() + TIMEOUT_S
    while not _is_made(client, uri, name, tags):
        seen = _seen(client, uri, name)
        holder = _holder(seen)
        if holder is not None and holder.has_ended:
            # The next process on this host must not take away what this one makes in its place.
            with _file_lock(Path(tempfile.gettempdir(), f"ser-{getpass.getuser()}"), uri):
                _remove(client, uri, name, seen)
        elif time.monotonic() > limit:
            who = "another process" if holder is None else f"process {holder.pid} on {holder.host}"
            raise RegistryError(
                f"registry {without_password(uri)}: {who} has been changing it for "
                f"{TIMEOUT_S:g} s; wait for it. If it has ended, delete the registered model "
                f"{name} in MLflow"
            )
        else:
            time.sleep(_PERIOD_S)
    try:
        yield
    finally:
        _remove(client, uri, name, tags)


def _is_made(client: MlflowClient, uri: str, name: str, tags: Mapping[str, str]) -> bool:
    """Make the entry; return False where it is another's."""
    with store.translated(uri):
        try:
            client.create_registered_model(name, tags=dict(tags), description=_NOTE)
        except MlflowException as error:
            if error.error_code not in _ANOTHER_S:
                raise
            # A request that was sent twice, because its answer was lost, finds its own entry.
            return _found(client, name).get(_TOKEN) == tags[_TOKEN]
    return True


def _seen(client: MlflowClient, uri: str, name: str) -> Mapping[str, str]:
    with store.translated(uri):
        return _found(client, name)


def _holder(tags: Mapping[str, str]) -> Process | None:
    """Return the process that holds the lock, or None where it is free or says nothing."""
    if "ser.host" not in tags or not tags.get("ser.pid", "").isdigit():
        return None
    return Process(tags["ser.host"], int(tags["ser.pid"]), float(tags["ser.pid_started"]))


def _found(client: MlflowClient, name: str) -> Mapping[str, str]:
    """Return the tags of the entry, none where it is gone."""
    try:
        return dict(client.get_registered_model(name).tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


def _remove(client: MlflowClient, uri: str, name: str, tags: Mapping[str, str]) -> None:
    """Take away the entry with these tags; another that has taken its place stays."""
    with store.translated(uri):
        if _found(client, name).get(_TOKEN) != tags.get(_TOKEN):
            return
        try:
            client.delete_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise


def _tags(process: Process) -> dict[str, str]:
    return {
        _TOKEN: uuid.uuid4().hex,
        "ser.host": process.host,
        "ser.pid": str(process.pid),
        "ser.pid_started": f"{process.started or 0.0:.0f}",
    }
