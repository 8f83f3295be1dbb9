"""Opening a store safely."""

import io
import logging
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ser import runtime, sqlite
from ser.errors import TrackingError
from ser.tracking import place, store


def test_tracking_uri_of_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store.default_uri(tmp_path) == f"sqlite:///{tmp_path.resolve()}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.org")
    assert store.default_uri(tmp_path) == "http://example.org"


def test_file_that_is_no_database_is_refused_at_once(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"not a database " * 500)
    with pytest.raises(TrackingError, match=r"mlflow\.db: .*not a database; move the file aside"):
        store.connect(f"sqlite:///{path}")


@pytest.mark.stage
def test_process_killed_while_it_initialises_leaves_no_half_database(tmp_path):
    path = tmp_path / "mlruns" / "mlflow.db"
    code = (
        "import os, signal\n"
        "from ser import sqlite\n"
        "from ser.tracking import store\n"
        "def die(path):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "sqlite.use_write_ahead_log = die\n"
        f"store.connect('sqlite:///{path}')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert result.returncode == -signal.SIGKILL
    assert not path.exists()


def test_half_initialised_database_is_refused_with_a_cure(root):
    path = root / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE scorers")
        connection.execute("DELETE FROM alembic_version")
    with pytest.raises(TrackingError, match="was interrupted: move the file aside"):
        store.connect(f"sqlite:///{path}")


def test_locked_database_is_refused_after_the_timeout(root, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_TIMEOUT_S", 0.2)
    path = root / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"locked; another process has held it"):
            store.connect(f"sqlite:///{path}")


@pytest.mark.parametrize("said", ["disk I/O error", "unable to open database file"])
def test_a_full_disk_is_not_taken_for_a_broken_database(root, monkeypatch, said):
    uri = store.default_uri(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))

    def fail(*_, **__):
        raise sqlite3.OperationalError(said)

    with pytest.raises(OSError, match="No space left on device"), store.translated(uri):
        raise MlflowException(f"(sqlite3.OperationalError) {said}")
    monkeypatch.setattr(store.sqlite3, "connect", fail)
    with pytest.raises(OSError, match="No space left on device"):
        store.connect(uri)


def test_database_of_another_mlflow_is_refused_with_both_cures(root):
    path = root / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(TrackingError, match=r"(?s)constraints\.txt.*mlflow db upgrade"):
        store.connect(f"sqlite:///{path}")


def test_file_store_is_refused_with_a_cure(tmp_path):
    with pytest.raises(TrackingError, match="set MLFLOW_TRACKING_URI to a database"):
        store.connect(str(tmp_path / "mlruns"))


def test_unknown_run_is_named(root):
    uri = store.default_uri(root)
    client = store.connect(uri)
    for run_id in ("0" * 32, "no such thing"):
        with pytest.raises(TrackingError, match=f"there is no run '{run_id}'"):
            store.find_run(client, run_id, uri)


def test_location_chosen_by_hand_is_not_taken_for_a_move(tmp_path):
    database = tmp_path / "mlruns" / "mlflow.db"
    old = place.former_folder(database, "ser/a/b", "/old/mlruns/ser-a-b")
    assert old == "/old/mlruns"
    assert place.former_folder(database, "ser/a/b", "/shared/elsewhere") is None
    assert place.former_folder(database, "ser/a/b", f"{tmp_path}/mlruns/ser-a-b") is None


class VendorError(Exception):
    """Of a library below MLflow: related to no other error."""


@pytest.mark.parametrize("failure", [VendorError("SlowDown"), KeyError("Bucket"), OSError("gone")])
def test_whatever_lies_below_mlflow_raises_it_is_the_store_s_error(root, monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    uri = store.default_uri(root)
    client = store.connect(uri)
    monkeypatch.setattr(MlflowClient, "log_artifact", fail)
    said = rf"tracking store .*{type(failure).__name__}: .*`ser doctor`"
    with pytest.raises(TrackingError, match=said) as caught, store.translated(uri):
        client.log_artifact("run", "a.txt")
    assert caught.value.__cause__.__cause__ is failure


@pytest.mark.parametrize("uri", ["http://localhost:port", "http://[::1"])
def test_an_address_that_is_none_is_one_message(uri):
    with pytest.raises(TrackingError, match=rf"{re.escape(uri)}: no answer .*MLFLOW_TRACKING_URI"):
        store.connect(uri)


def test_a_store_of_a_kind_that_nobody_knows_is_one_message():
    with pytest.raises(TrackingError, match=r"tracking store etcd://host/runs: .*etcd.*; `ser"):
        store.connect("etcd://host/runs")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2", "mysql+pymysql", "mssql"])
def test_a_database_server_is_refused_with_the_reason_and_without_the_password(scheme):
    said = (
        rf"{re.escape(scheme)}://ser:\*\*\*@host/runs: .* without MLflow's server .*mlflow server"
    )
    with pytest.raises(TrackingError, match=said) as caught:
        store.connect(f"{scheme}://ser:secret@host/runs")
    assert "secret" not in str(caught.value)


def test_an_artifact_that_a_server_does_not_take_is_said_as_the_store_s_error():
    said = r"example\.org: 503 Server Error"
    with pytest.raises(TrackingError, match=said), store.translated("http://example.org"):
        raise requests.HTTPError("503 Server Error: Service Unavailable")


def test_what_the_database_refuses_is_said_once_and_without_mlflows_traceback(root, capsys):
    uri = store.default_uri(root)
    client = store.connect(uri)
    with closing(sqlite3.connect(store.database_path(uri))) as connection, connection:
        connection.execute("DROP TABLE experiments")
    told = logging.StreamHandler(io.StringIO())
    logging.getLogger("mlflow").addHandler(told)

    def search():
        with store.translated(uri):
            client.search_experiments()

    try:
        assert runtime.run_main(search) == 1
    finally:
        logging.getLogger("mlflow").removeHandler(told)
    assert told.stream.getvalue() == ""
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: tracking store")
    assert "no such table" in line


def test_a_fault_of_ours_is_none_of_the_store(root):
    client = store.connect(store.default_uri(root))
    with pytest.raises(TypeError):
        client.search_experiments(no_such_option=1)


def test_only_a_server_is_an_address_that_other_machines_may_reach(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracker:5000")
    assert place.server(tmp_path) == "https://tracker:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert place.server(tmp_path) is None
