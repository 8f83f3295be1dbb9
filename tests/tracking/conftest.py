"""A tracking database that costs its two seconds once."""

import pytest

from ser import runtime
from tests.tracking.support import copy_database

# Before the first import of MLflow: no telemetry, a short patience with dead servers.
runtime.configure()


@pytest.fixture
def root(tmp_path, template_database, monkeypatch):
    """A project's root with a database of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy_database(template_database, tmp_path / "mlruns" / "mlflow.db")
    return tmp_path
