"""Studies that another machine searches: what comes of it is what this machine would have found."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from ser.errors import FileError, NodeError
from ser.tuning import jobs as job_making
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning import study_units, workers
from tests.tuning.support import bowl, make_job, told

pytestmark = pytest.mark.stage


@pytest.fixture
def job(paths, root, tmp_path, monkeypatch):
    """The job of a study with three trials; its project is the working directory."""
    made = make_job(paths, root)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_units, "_chosen", lambda _: ["lstm-focal"])
    monkeypatch.setattr(study_units, "_jobs", lambda _: {("lstm-focal", 1): made})
    monkeypatch.setattr(study_units, "_jobs_once", study_units._jobs)
    monkeypatch.setattr(job_making, "objective", lambda *_: bowl)
    return made


@pytest.fixture
def at(url, fresh_database, monkeypatch):
    """Makes a storage that of the working directory: `here` or that of a node."""

    def become(name):
        path = Path(f"{name}.db").resolve()
        if not path.exists():
            shutil.copy(fresh_database, path)
        own = f"sqlite:///{path}"
        monkeypatch.setattr(study_units, "_url", lambda: own)
        return own

    return become


def search(job, url):
    workers.run([job], url, num_workers=1, report=lambda: None)


def study_in(job, url):
    return studies.load(job.study, storages.connect(url))


def test_a_whole_study_comes_back_and_nothing_is_left_to_search(job, at, monkeypatch):
    alone = at("alone")
    search(job, alone)
    here = at("here")
    (unit,) = study_units.missing("mfcc")
    assert (unit.name, unit.slot) == ("tune/lstm-focal/fold-1", None)
    at("node")
    study_units.search(unit)
    at("here")
    study_units.take(unit)
    assert not unit.folder.exists()
    assert told(job.study, study_in(job, here)) == told(job.study, study_in(job, alone))
    assert list(study_units.missing("mfcc")) == []
    monkeypatch.setattr(job_making, "objective", None)
    search(job, here)


def test_where_a_server_keeps_studies_a_unit_is_one_trial(job, at, monkeypatch):
    monkeypatch.setattr(storages, "is_local", lambda _: False)
    shared = at("shared")
    units = list(study_units.missing("mfcc"))
    assert [unit.name for unit in units] == [
        f"tune/lstm-focal/fold-1/trial-{slot}" for slot in (0, 1, 2)
    ]
    for unit in [*units, units[0]]:  # one of them is given out again
        study_units.search(unit)
        study_units.take(unit)
    alone = at("alone")
    search(job, alone)
    assert told(job.study, study_in(job, shared)) == told(job.study, study_in(job, alone))
    at("shared")
    assert list(study_units.missing("mfcc")) == []


def test_a_node_that_would_search_something_else_refuses(job, at, monkeypatch):
    at("here")
    (unit,) = study_units.missing("mfcc")
    other = {**unit.decided_by, "versions.optuna": "4.0.0"}
    with pytest.raises(NodeError, match=r"versions.optuna is \S+ there and 4.0.0 here"):
        study_units.search(dataclasses.replace(unit, key="f" * 32, decided_by=other))
    with pytest.raises(NodeError, match="no study of lstm-focal on fold 9"):
        study_units.search(dataclasses.replace(unit, fold=9))
    with pytest.raises(NodeError, match="start Ray there with the OPTUNA_STORAGE"):
        study_units.search(dataclasses.replace(unit, slot=1))
    monkeypatch.setattr(storages, "is_local", lambda _: False)
    at("another")
    with pytest.raises(NodeError, match="is not in sqlite"):
        study_units.search(dataclasses.replace(unit, slot=1))

    def without(_):
        raise FileError("data/manifest.jsonl: no such file")

    monkeypatch.setattr(study_units, "_jobs_once", without)
    with pytest.raises(NodeError, match="no such file"):
        study_units.search(unit)
    assert not unit.folder.exists()
