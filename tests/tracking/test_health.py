"""Looking at a database, and mending that of a moved project."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ser.contracts import RunSpec
from ser.errors import TrackingError
from ser.tracking import health
from ser.tracking.mlflow_tracker import open_experiment


def test_sound_database_has_nothing_to_report(root):
    found = health.examine(root / "mlruns" / "mlflow.db")
    assert found.problem is None
    assert found.integrity == "ok"
    assert found.schema == found.expected_schema
    assert not found.locked
    assert found.moved_from == ()


def test_damaged_file_is_a_finding_not_an_exception(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"not a database " * 500)
    assert "not a database" in str(health.examine(path).problem)


def test_database_held_by_a_writer_is_locked(root):
    path = root / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        assert health.examine(path, lock_timeout_s=0.1).locked


def test_moved_project_is_refused_then_mended(root, tmp_path):
    spec = RunSpec("lstm-focal", "k", {}, {})
    artifact = tmp_path / "a.txt"
    artifact.write_text("kept")
    old = open_experiment("ser/demo/session", note="", tags={}, root=root)
    with old.run(spec) as tracker:
        tracker.log_artifact(artifact)
    new_root = tmp_path / "moved"
    new_root.mkdir()
    shutil.move(root / "mlruns", new_root / "mlruns")

    with pytest.raises(TrackingError, match="the project lies elsewhere now; `ser doctor --fix`"):
        open_experiment("ser/demo/session", note="", tags={}, root=new_root)
    path = new_root / "mlruns" / "mlflow.db"
    assert health.examine(path).moved_from == (str(root / "mlruns"),)
    assert health.relocate(path) == 2
    assert health.examine(path).moved_from == ()
    assert health.relocate(path) == 0
    new = open_experiment("ser/demo/session", note="", tags={}, root=new_root)
    run_id = new.run_id("k")
    copied = new.client.download_artifacts(run_id, "a.txt", str(tmp_path))
    assert Path(copied).read_text() == "kept"
    assert new.client.get_run(run_id).info.artifact_uri.startswith(str(new_root))
    assert (new_root / "mlruns" / "mlflow.db.before-move").exists()
