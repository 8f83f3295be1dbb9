"""The tags of runs that say where they came from, of trained runs and of those recorded again."""

import pytest

from ser import lineage, provenance
from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.errors import FileError
from ser.project import Project
from ser.tracking import cells, provenances
from ser.tracking.cells import CellRecord, RunRecord
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tracking.provenances import Whence
from tests.repository import commit_all

LOCK = """\
stages:
  split:
    cmd: python -m pipelines.split
  train@lstm-aam:
    cmd: python -m pipelines.train lstm-aam
    outs:
    - path: data/trained/lstm-aam
      md5: t1.dir
"""
UPSTREAM = {"ser.upstream_stages": "split"}
FOLDS = tuple(RunRecord(RunSpec(f"fold-{n}", f"key-{n}", UPSTREAM, {}), n, 0) for n in (1, 2))
RECORD = CellRecord("ser/demo/session", "", {}, RunRecord(RunSpec("cell", "key", {}, {})), FOLDS)


@pytest.fixture
def clone(tmp_path):
    """A checkout with a trained cell that a commit has recorded, and nothing below work/."""
    project = Project(tmp_path)
    project.lock.write_text(LOCK)
    cell = project.trained("lstm-aam")
    cell.folder.mkdir(parents=True)
    cells.write(cell, RECORD)
    return project, cell, commit_all(tmp_path)


def restore(project, cell):
    experiment = MemoryExperiment()
    cells.restore(cell, lambda *_, **__: experiment, root=project.root)
    return experiment.runs


def keep(project, number, **changes):
    place = project.kept_fold(f"key-{number}")
    place.folder.mkdir(parents=True)
    kept = provenance.here(project.root).model_copy(update=changes)
    kept.write(place.provenance)
    return kept


def test_a_run_says_where_it_came_from_and_the_lock_that_it_stands_on(clone):
    project, _, commit = clone
    said = provenance.here(project.root).tags
    lock = provenances.lock_of(UPSTREAM, project.root)
    found = provenances.described(RunSpec("x", "k", UPSTREAM, {}), said, lock).tags
    assert found["ser.git_commit"] == commit
    assert found["ser.dvc_lock_sha256"] == lineage.upstream_lock_sha256(project.root, ["split"])


def test_in_a_fresh_clone_the_commit_is_the_one_that_recorded_the_result_and_said_so(clone):
    project, cell, commit = clone
    commit_all(project.root)
    for run in restore(project, cell).values():
        assert run.tags["ser.git_commit"] == commit
        assert run.tags["ser.git_commit_of"] == "dvc.lock"
        assert {run.tags[f"ser.{name}"] for name in ("git_dirty", "python", "platform")} == {"none"}
        assert run.artifacts == {}


def test_what_is_in_no_commit_names_none(clone):
    project, cell, _ = clone
    project.lock.write_text(LOCK.replace("t1", "t2"))
    for run in restore(project, cell).values():
        assert run.tags["ser.git_commit"] == "none"
        assert "ser.git_commit_of" not in run.tags


def test_a_kept_fold_brings_its_own_and_its_cell_says_it_where_all_folds_are_kept(clone):
    project, cell, commit = clone
    first = keep(project, 1, git_commit="a" * 40, python="3.99.0")
    runs = restore(project, cell)
    assert runs["key-1"].tags["ser.git_commit"] == "a" * 40
    assert runs["key-1"].tags["ser.python"] == "3.99.0"
    assert "ser.git_commit_of" not in runs["key-1"].tags
    assert list(runs["key-1"].artifacts) == ["provenance.json"]
    for key in ("key", "key-2"):
        assert runs[key].tags["ser.git_commit_of"] == "dvc.lock"
    second = keep(project, 2)
    runs = restore(project, cell)
    assert provenance.tags_of([first, second]).items() <= runs["key"].tags.items()
    assert runs["key"].tags["ser.git_commit"] == ", ".join(sorted(["a" * 40, commit]))
    assert runs["key"].artifacts == {}


def test_the_damaged_provenance_of_a_kept_fold_is_told_with_its_cure(clone):
    project, cell, _ = clone
    keep(project, 1)
    project.kept_fold("key-1").provenance.write_text("{")
    with pytest.raises(FileError, match=r"key-1/provenance\.json: .*remove its folder"):
        restore(project, cell)


def test_a_record_of_before_says_all_itself(clone):
    project, _, _ = clone
    own = dict.fromkeys(provenance.UNKNOWN, "of before")
    spec = RunSpec("x", "k", own, {})
    whence = Whence(project, CellFolder(project.root / "data/trained/lstm-aam").folder)
    assert whence.described(spec, ["key-1"]) == spec
