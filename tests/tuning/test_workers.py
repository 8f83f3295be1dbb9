import os

import pytest

from ser import provenance
from ser.errors import TuningError
from ser.project import Project
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning import trial_provenance, workers
from tests.tuning.support import load_inputs, make_job, told

pytestmark = pytest.mark.stage


@pytest.fixture
def jobs(paths, root):
    data = load_inputs(paths)
    return [make_job(paths, root, fold=fold, num_trials=3, data=data) for fold in (0, 1)]


def states(jobs, storage):
    return [[trial.state.name for trial in studies.load(job.study, storage).trials] for job in jobs]


def test_one_worker_is_this_process_and_reports_after_every_trial(jobs, url, storage):
    reports = []
    workers.run(jobs, url, num_workers=1, report=lambda: reports.append(1))
    assert [len(found) for found in states(jobs, storage)] == [3, 3]
    assert len(reports) == 7
    study = studies.load(jobs[0].study, storage)
    assert {trial.user_attrs["pid"] for trial in study.trials} == {os.getpid()}
    assert all(len(trial.curve) == 2 for trial in told(jobs[0].study, study)[:2])
    here = provenance.here(Project().root).tags
    assert [trial_provenance.tags_of(trial) for trial in study.trials] == [here] * 3


@pytest.mark.system
def test_several_workers_end_with_the_same_number_of_trials(jobs, url, storage):
    workers.run(jobs, url, num_workers=2, report=lambda: None)
    for job in jobs:
        study = studies.load(job.study, storage)
        assert len(study.trials) == 3
        assert [t.slot for t in told(job.study, study)] == [0, 1, 2]
        assert os.getpid() not in {trial.user_attrs["pid"] for trial in study.trials}


def test_what_is_finished_is_not_run_again(jobs, url, storage, monkeypatch):
    workers.run(jobs, url, num_workers=1, report=lambda: None)
    monkeypatch.setattr(workers.job_making, "objective", None)
    workers.run(jobs, url, num_workers=1, report=lambda: None)
    assert [len(found) for found in states(jobs, storage)] == [3, 3]


def test_workers_that_fail_again_and_again_are_given_up(jobs, url, storage, monkeypatch):
    rounds = []
    monkeypatch.setattr(workers, "_one_round", lambda *_: rounds.append(1) or True)
    with pytest.raises(TuningError, match="2 studies are not finished because workers failed"):
        workers.run(jobs, url, num_workers=2, report=lambda: None)
    assert len(rounds) == 3


@pytest.fixture
def elsewhere(jobs, url, storage):
    """The trial of another machine's worker, which has just said that it lives."""
    study = studies.prepare(jobs[0].study, storage, url)
    trial = studies.claim(jobs[0].study, study, storage, url)
    for name, value in {"host": "elsewhere", "pid": 2**30}.items():
        trial.set_user_attr(name, value)
    storage.record_heartbeat(trial._trial_id)
    return study, trial


def test_a_slot_that_another_machine_is_at_is_waited_for(
    jobs, url, storage, elsewhere, monkeypatch
):
    study, trial = elsewhere
    monkeypatch.setattr(workers.time, "sleep", lambda _: study.tell(trial, 0.9))
    workers.run(jobs[:1], url, num_workers=1, report=lambda: None)
    assert len(study.trials) == 3
    assert studies.outcome(jobs[0].study, study).dev_uar == 0.9


def test_a_slot_of_a_machine_that_fell_silent_is_filled_here(
    jobs, url, storage, elsewhere, monkeypatch
):
    study, trial = elsewhere
    monkeypatch.setattr(storages, "GRACE_S", 1)
    monkeypatch.setattr(workers, "_ASK_OTHERS_EVERY_S", 0.3)
    workers.run(jobs[:1], url, num_workers=1, report=lambda: None)
    assert [found.state.name for found in study.trials].count("FAIL") == 1
    assert [found.slot for found in told(jobs[0].study, study)] == [0, 1, 2]
    assert study.trials[trial.number].state.name == "FAIL"
