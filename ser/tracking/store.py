"""The tracking store behind MLflow: where it is, how it is opened safely."""

import re
import sqlite3
import ssl
import urllib.error
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import wraps
from http import HTTPStatus
from pathlib import Path
from typing import Any

import mlflow
import requests
import sqlalchemy.exc
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ser import sqlite
from ser.errors import TrackingError
from ser.tracking import outage
from ser.tracking.outage import Patience

# Under these names, too: whoever opens a store asks here where it is.
from ser.tracking.place import database_path as database_path
from ser.tracking.place import default_uri as default_uri
from ser.tracking.place import is_server
from ser.wording import without_password

#: What a store's failures are, from `Client` and from MLflow's own functions.
FAILURES = (MlflowException, sqlalchemy.exc.SQLAlchemyError, requests.RequestException)

_RUNS_PER_REQUEST = 1000

#: How the address of a database begins that MLflow could open, and that only its server should.
_BARE_DATABASES = ("postgresql", "postgres", "mysql", "mssql")

#: An unknown alias and an id of another form are invalid values to MLflow.
_GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_NO_FILE = "No such file"

#: How the names of methods begin that make something.
_MAKES = "create_"

#: What a fault of ours raises; no store does.
_FAULTS = (TypeError, AttributeError, NameError, AssertionError)


class Client(MlflowClient):
    """Speaks to a store; what lies below MLflow fails as MLflow itself does.

    A store's artifacts may be at any vendor, whose errors are related to no others. A server that
    is away for a moment is waited for; but what makes something is not given a second time, for
    the first may have come through.

    Args:
        uri: Tracking URI.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        #: Of its calls; for what takes several of them and is repeated as a whole.
        self.patience = Patience(uri)

    def __getattribute__(self, name: str) -> Any:
        """Return a method that raises nothing but `MlflowException`, or any other attribute."""
        value = super().__getattribute__(name)
        if name.startswith("_") or not callable(value):
            return value
        return _as_mlflow(value if name.startswith(_MAKES) else _repeated(value, self.patience))


def _repeated(method: Callable[..., Any], patience: Patience) -> Callable[..., Any]:
    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        return patience.call(lambda: method(*arguments, **named))

    return call


def _as_mlflow(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except (MlflowException, *_FAULTS):
            raise
        except Exception as error:
            raise MlflowException(f"{type(error).__name__}: {error}") from error

    return call


def says_gone(error: BaseException) -> bool:
    """Return whether a store says that there is no such thing: not so if it does not answer.

    Args:
        error: Of MLflow, of `Client`, or of whatever keeps artifacts.
    """
    if isinstance(error, MlflowException) and error.error_code in _GONE:
        return True
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)  # of requests
    if isinstance(response, Mapping):  # of botocore, which speaks to S3
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status is not None:
        return bool(status == HTTPStatus.NOT_FOUND)
    # MLflow's own, of a store in a folder, has words and no number.
    if isinstance(error, FileNotFoundError) or (
        type(error) is OSError and str(error).startswith(_NO_FILE)
    ):
        return True
    return isinstance(error, MlflowException) and _causes_gone(error)


def _causes_gone(error: MlflowException) -> bool:
    """Return whether what `Client` made an error of MLflow's own says that."""
    return error.__cause__ is not None and says_gone(error.__cause__)


@contextmanager
def left_alone() -> Iterator[None]:
    """Give MLflow the store back that it had before, whatever the block has set.

    MLflow keeps it in the environment, too, where it would decide for all that comes later.
    """
    is_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    before = mlflow.get_tracking_uri() if is_set else None
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]


def connect(uri: str) -> Client:
    """Open the store, creating and initialising a local database that is not there yet.

    Args:
        uri: Tracking URI.

    Returns:
        A client that works; MLflow's global state is left alone.

    Raises:
        TrackingError: The server does not answer, the address is that of a database server, or
            the database is locked, damaged, or of another MLflow's schema. Said within seconds,
            with the cure.
    """
    if is_server(uri):
        _check_server(uri)
    _refuse_bare_database(uri)
    database = database_path(uri)
    if database is None:
        with translated(uri):
            return _client(uri)
    with sqlite.opening(database, _initialise):
        _check_database(database)
        return _open(database)


def _client(uri: str) -> Client:
    """Return a client; a store that cannot be opened, e.g. without its driver, is a failure."""
    made: Client = _as_mlflow(Client)(uri)
    return made


def _initialise(database: Path) -> None:
    """Make MLflow's tables, which takes some sixty steps and cannot go on after a kill."""
    _open(database)


def _open(database: Path) -> Client:
    """Return a client whose database has been opened."""
    uri = f"{sqlite.PREFIX}{database}"
    with translated(uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", sqlalchemy.exc.SADeprecationWarning)
        client = _client(uri)
        client.search_experiments(max_results=1)
    sqlite.use_write_ahead_log(database)
    return client


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Say errors of MLflow, the database and the connection as one that names the store.

    Raises:
        TrackingError: One of them failed.
        OSError: The disk of a local store is full.
    """
    try:
        yield
    except FAILURES as error:
        text = str(error)
        database = database_path(uri)
        if database is not None:
            sqlite.require_room(database, text)
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
        said = without_password(f"tracking store {uri}: {first}; {cure}")
        raise TrackingError(said) from error


def _check_server(uri: str) -> None:
    """Raise TrackingError unless something answers at the server's address."""
    cure = "start the server, correct MLFLOW_TRACKING_URI, or unset it to record under mlruns/"
    shown = without_password(uri)
    try:
        outage.ask(uri)
    except urllib.error.HTTPError as error:
        # 401, 403 and 404 come from a living server that keeps no public health page.
        if error.code >= 500:
            raise TrackingError(f"tracking server {shown}: answers {error.code}; {cure}") from error
    except Exception as error:  # urllib lets errors of sockets and of http.client through
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return  # alive; MLflow's own client has the settings for its certificate
        raise TrackingError(f"tracking server {shown}: no answer ({reason}); {cure}") from error


def _refuse_bare_database(uri: str) -> None:
    """Raise TrackingError if an address leads past MLflow's server to the database behind it."""
    if uri.partition(":")[0].partition("+")[0] not in _BARE_DATABASES:
        return
    shown = without_password(uri)
    raise TrackingError(
        f"tracking store {shown}: this is a database without MLflow's server in front of it; "
        "programs that meet it empty spoil each other's tables, and artifacts would stay on the "
        f"machine that made them. Start `mlflow server --backend-store-uri {shown} "
        "--artifacts-destination s3://...` and set MLFLOW_TRACKING_URI to the address of that, "
        "http://...; docs/stores.md has the commands"
    )


def _check_database(path: Path) -> None:
    """Raise TrackingError if a database cannot be written; MLflow would retry for minutes."""
    try:
        with closing(sqlite3.connect(path, timeout=sqlite.LOCK_TIMEOUT_S)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.DatabaseError as error:
        locked = "locked" in str(error)
        if isinstance(error, sqlite3.OperationalError) and not locked:
            sqlite.require_space(path)
        cure = (
            f"another process has held it for {sqlite.LOCK_TIMEOUT_S:g} s: end that process"
            if locked
            else "move the file aside and run `ser restore-runs`, which fills a new one from runs/"
        )
        raise TrackingError(f"tracking database {path}: {error}; {cure}") from error


def runs(client: MlflowClient, experiment_id: str, *, status: str) -> Iterator[Run]:
    """Yield all runs of an experiment that have a status, the latest first.

    Args:
        client: From `connect`; its failures pass.
        experiment_id: MLflow's id.
        status: As MLflow says it, e.g. `FINISHED`.
    """
    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            filter_string=f"attributes.status = '{status}'",
            max_results=_RUNS_PER_REQUEST,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


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
            f"tracking store {without_password(uri)}: there is no run {run_id!r}; `make ui` shows "
            "the runs, each with its id"
        ) from error
