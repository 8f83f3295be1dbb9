"""Specs of runs; test_search.py looks at what a whole search records."""

import dataclasses
import platform
from contextlib import contextmanager, suppress

import pytest

from ser import provenance
from ser.errors import TrainingError
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tracking.recording import MetricSteps
from ser.tuning import recording, trial_provenance
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning.recording import Recorder
from tests.tuning.support import bowl, fill, load_inputs, make_job


@pytest.fixture
def data(paths):
    return load_inputs(paths)


def test_the_parent_of_a_study_says_what_is_searched(paths, root, data):
    plan = make_job(paths, root, data=data).study
    spec = recording.study_spec(plan, data, root=root)
    assert spec.name == "lstm-focal/fold-1"
    assert spec.tags["ser.study"] == plan.name
    assert (spec.tags["ser.fold"], spec.tags["ser.trial"]) == ("1", "all")
    assert spec.params["space"]["loss.gamma"]["published"] == 2.0
    assert spec.params["tuning"]["num_trials"] == 3
    assert "- `loss.gamma` from 0 to 5" in spec.note


def test_more_trials_are_another_parent_run_of_the_same_study(paths, root, data):
    plan = make_job(paths, root, data=data).study
    more = dataclasses.replace(plan, num_trials=9)
    specs = [recording.study_spec(p, data, root=root) for p in (plan, more)]
    assert specs[0].run_key != specs[1].run_key
    assert specs[0].tags["ser.study"] == specs[1].tags["ser.study"]


def test_a_diverged_trial_is_recorded_with_its_reason(paths, root, data, storage, url):
    def objective(values, tracker):
        if values["loss.gamma"] == 2.0:
            raise TrainingError("loss is not finite")
        return bowl(values, tracker)

    job = make_job(paths, root, data=data)
    study = fill(job.study, storage, url, objective)
    experiment = MemoryExperiment()
    loaded = {job.study.name: study}
    with Recorder(
        experiment, [(job, data)], loaded, root=root, folder=root / "figures"
    ) as recorder:
        recorder.report()
        recorder.report()
        recorder.conclude()
    parent, first, *_ = experiment.runs.values()
    assert len(experiment.runs) == 4
    assert first.tags["ser.trial_state"] == "PRUNED"
    assert first.tags["ser.trial_error"] == "loss is not finite"
    assert "dev/best_uar" not in first.metrics
    assert parent.metrics["num_pruned"] == [(0, 1.0)]
    chosen = studies.outcome(job.study, study)
    assert parent.tags["ser.best.loss.gamma"] == f"{chosen.params['loss.gamma']:.6g}"


def test_a_trial_names_the_commit_of_its_worker_and_not_of_who_records(
    paths, root, data, storage, url
):
    plan = make_job(paths, root, data=data).study
    study = studies.prepare(plan, storage, url)
    trials = [studies.claim(plan, study, storage, url) for _ in range(2)]
    changes = {"git_commit": "c" * 40, "git_dirty": True}
    trial_provenance.note(trials[0], provenance.here(root).model_copy(update=changes))
    for trial in trials:
        studies.run_trial(study, trial, bowl, storage)
    noted, silent = (
        recording.trial_spec(plan, trial, data).tags for trial in studies.finished(plan, study)
    )
    assert (noted["ser.git_commit"], noted["ser.git_dirty"]) == ("c" * 40, "true")
    assert noted["ser.python"] == platform.python_version()
    assert silent["ser.git_commit"] == silent["ser.python"] == "none"


def test_a_study_is_drawn_when_it_is_full_and_only_then(paths, root, data, storage, url):
    """Not at the end of all: the workers are at other studies meanwhile."""
    job = make_job(paths, root, data=data)
    study = studies.prepare(job.study, storage, url)
    folder = root / "figures"
    with Recorder(
        MemoryExperiment(), [(job, data)], {job.study.name: study}, root=root, folder=folder
    ) as recorder:
        for num_drawn in (0, 0, 1):
            trial = studies.claim(job.study, study, storage, url)
            studies.run_trial(study, trial, bowl, storage)
            recorder.report()
            assert len(list(folder.rglob("history.png"))) == num_drawn
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
        recorder.conclude()
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == before


def test_an_interrupt_leaves_the_parent_killed_and_it_is_taken_up_again(
    paths, root, data, storage, url
):
    job = make_job(paths, root, data=data)
    study = fill(job.study, storage, url)
    experiment, loaded = MemoryExperiment(), {job.study.name: study}

    def recorder():
        return Recorder(experiment, [(job, data)], loaded, root=root, folder=root / "figures")

    with pytest.raises(KeyboardInterrupt), recorder():
        raise KeyboardInterrupt
    assert {run.status for run in experiment.runs.values()} == {"KILLED"}
    with recorder() as second:
        second.report()
        second.conclude()
    assert {run.status for run in experiment.runs.values()} == {"FINISHED"}
    assert len(experiment.runs) == 4


def test_figures_do_not_show_that_a_trial_was_cut_and_made_again(
    paths, root, data, storage, tmp_path
):
    def drawn(name, objective):
        job = make_job(paths, root, data=data)
        url = f"sqlite:///{tmp_path / name}.db"
        own = storages.connect(url)
        for _ in range(3):
            with suppress(KeyboardInterrupt):
                study = fill(job.study, own, url, objective)
        folder = root / name
        with Recorder(
            MemoryExperiment(), [(job, data)], {job.study.name: study}, root=root, folder=folder
        ) as recorder:
            recorder.conclude()
        return {path.name: path.read_bytes() for path in folder.rglob("*.png")}, study

    cut = iter([False, True, True, False, False])

    def interrupted(values, tracker):
        if next(cut):
            raise KeyboardInterrupt
        return bowl(values, tracker)

    whole, _ = drawn("whole", bowl)
    again, study = drawn("again", interrupted)
    assert [trial.number for trial in study.trials if trial.state.name == "FAIL"] == [1, 3]
    assert again == whole
    assert len(whole) == 2


def test_nothing_is_recorded_while_another_machine_records(paths, root, data, storage, url):
    job = make_job(paths, root, data=data)
    experiment, numbers = MemoryExperiment(), []

    @contextmanager
    def alone():
        before = len(experiment.runs)
        yield
        numbers.append((before, len(experiment.runs)))

    loaded = {job.study.name: fill(job.study, storage, url)}
    place = {"root": root, "folder": root / "figures", "alone": alone}
    with Recorder(experiment, [(job, data)], loaded, **place) as recorder:
        recorder.report()
    assert numbers == [(0, 1), (1, 4)]


def test_what_another_machine_concludes_meanwhile_is_not_recorded_again(
    paths, root, data, storage, url
):
    job = make_job(paths, root, data=data)
    study = fill(job.study, storage, url)
    experiment = MemoryExperiment()
    first, second = (
        Recorder(experiment, [(job, data)], {job.study.name: study}, root=root, folder=root / name)
        for name in ("first", "second")
    )
    with first:
        first.report()
        experiment._open.clear()  # the other machine has a lock of its own for each run
        with second:
            second.report()
            second.conclude()
            parent = next(iter(experiment.runs.values()))
            parent.steps = MetricSteps()  # each machine knows of its own only
            first.conclude()
    assert parent.metrics["num_trials"] == [(0, 3.0)]
    assert parent.status == "FINISHED"
    drawn = [sorted(path.name for path in (root / n).rglob("*.png")) for n in ("first", "second")]
    assert drawn[0] == drawn[1] != []
