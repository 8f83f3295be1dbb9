"""A tracking database that costs its two seconds once."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ser import runtime

# Before the first import of MLflow: no telemetry, a short patience with dead servers.
runtime.configure()


@pytest.fixture(scope="session")
def template_database(tmp_path_factory):
    """An initialised database without experiments of ours."""
    from ser.tracking import store

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    store.connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def root(tmp_path, template_database, monkeypatch):
    """A project's root with a database of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy_database(template_database, tmp_path / "mlruns" / "mlflow.db")
    return tmp_path


def copy_database(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # sqlite's own copy: the file alone would lack what is still in the write-ahead log.
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
