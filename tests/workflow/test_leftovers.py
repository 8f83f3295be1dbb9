"""What killed writers left is found, and removed where nobody writes."""

import subprocess
import sys

import pytest

from ser import files, processes
from ser.project import Project
from ser.workflow import leftovers


@pytest.fixture
def halves(tmp_path):
    """A project with halves in it, and the paths of these."""
    made = []
    corpus, store = tmp_path / "data" / "raw" / "demo", tmp_path / "work" / "folds" / "key"
    for path in (tmp_path / "data" / "splits.csv", corpus, store):
        with files.replacing(path) as part:
            path.parent.mkdir(exist_ok=True)
            part.write_text("half")
            made.append(part)
    for part in made:
        part.write_text("half")
    for path in (corpus, store):
        path.unlink()
        path.mkdir()
    folder = store.with_name(f".{made[2].name}.01234567.part")
    (folder / "deep").mkdir(parents=True)
    # A user's own files, and what lies within a corpus, whatever its name.
    (corpus / ".a.01234567.part").write_text("theirs")
    (tmp_path / "data" / ".hidden.part").write_text("theirs")
    return tmp_path, [*made, folder]


def test_halves_are_named_and_then_removed(halves, monkeypatch):
    root, parts = halves
    monkeypatch.setattr(processes, "working_in", lambda _folder: [])
    (finding,) = leftovers.examine(root)
    assert finding.level == "warn"
    assert finding.detail.startswith("4 left by killed writers")
    assert all(part.exists() for part in parts)
    (finding,) = leftovers.examine(root, fix=True)
    assert finding.level == "mend"
    assert not any(part.exists() for part in parts)
    assert (root / "data" / "splits.csv").read_text() == "half"
    assert (root / "data" / "raw" / "demo" / ".a.01234567.part").exists()
    assert (root / "data" / ".hidden.part").exists()
    assert list(leftovers.examine(root)) == []


def test_units_that_nobody_fetched_are_leftovers_and_finished_folds_are_none(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "working_in", lambda _folder: [])
    project = Project(tmp_path)
    fold = project.kept_fold("key").folder
    units = [project.kept_shard("key"), project.kept_study("key-1")]
    for folder in (fold, *units):
        folder.mkdir(parents=True)
        (folder / "whole").touch()
    (finding,) = leftovers.examine(tmp_path, fix=True)
    assert finding.detail.startswith("2 left by killed writers, e.g. work/shards/key")
    assert not any(folder.exists() for folder in units)
    assert (fold / "whole").is_file()


def test_halves_stay_while_another_process_works_here(halves):
    root, parts = halves
    code = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root / "data", stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        (finding,) = leftovers.examine(root, fix=True)
        process.kill()
    assert finding.level == "ok"
    assert f"process {process.pid}" in finding.cure
    assert all(part.exists() for part in parts)
