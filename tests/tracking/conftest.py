"""A tracking database that costs its two seconds once."""

import pytest

from ser import runtime
from tests.tracking.support import copy_database

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
