from dataclasses import replace

import pytest

from ser.errors import FileError, NodeError, TrackingError
from ser.grid import fold_units, runners, specs
from ser.tracking import mlflow_run, store
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tracking.telling import TellingTracker
from ser.training.recipe import TrainingParams
from tests.grid.support import make_runner
from tests.repository import commit_all
from tests.training.support import make_plan

pytestmark = pytest.mark.stage


@pytest.fixture
def project(root, paths, monkeypatch):
    """A project as the working directory; units train its own cell."""
    monkeypatch.chdir(root)
    runner = make_runner(
        root, paths, MemoryExperiment(), plan=make_plan(TrainingParams(seeds=[0, 1]))
    )
    monkeypatch.setattr(fold_units, "_make", lambda *_: runner)
    fold_units._made_once.cache_clear()
    yield runner
    fold_units._made_once.cache_clear()


def missing():
    return list(fold_units.missing("lstm-cross_entropy", ""))


def test_a_unit_leaves_the_fold_that_its_cell_takes_over(project):
    units = missing()
    assert len(units) == 6
    assert units[0].name == "lstm-cross_entropy/fold-1/seed-0"
    assert replace(units[0], variant="untuned").name == f"untuned/{units[0].name}"
    fold_units.train(units[0])
    assert project.kept(units[0].key) is not None
    assert (project.project.root / units[0].folder).is_dir()
    assert missing() == units[1:]


def test_what_is_other_here_is_refused_by_name_and_nothing_is_trained(project):
    unit = missing()[0]
    there = {**unit.decided_by, "data.manifest": "0" * 64, "versions.torch": "2.10.0"}
    there["ser/training/fit.py"] = "1" * 64
    with pytest.raises(NodeError) as refused:
        fold_units.train(replace(unit, key="f" * 32, decided_by=there))
    own = unit.decided_by
    said = str(refused.value)
    assert f"versions.torch is {own['versions.torch']} there and 2.10.0 here" in said
    assert f"data.manifest is {own['data.manifest'][:21]}... there and 000" in said
    assert "ser/training/fit.py" in said
    assert missing()[0] == unit


def test_a_node_without_the_data_or_the_fold_refuses(project, monkeypatch):
    unit = missing()[0]
    with pytest.raises(NodeError, match="there is no fold 9 here"):
        fold_units.train(replace(unit, fold=9))
    fold_units._made_once.cache_clear()

    def without(*_):
        raise FileError("data/manifest.jsonl: no such file")

    monkeypatch.setattr(fold_units, "_make", without)
    with pytest.raises(NodeError, match="no such file"):
        fold_units.train(unit)


@pytest.fixture
def server(root, project, monkeypatch):
    """A store that stands for a tracking server; gives what opens it, and its client."""
    uri = f"sqlite:///{root / 'server' / 'mlflow.db'}"
    real = runners.open_store
    monkeypatch.setattr(runners, "open_store", lambda data, variant, _: real(data, variant, uri))
    return real(project.inputs, "", uri)


def recorded(server):
    """Name of a run -> the run, as the store has it; each name once."""
    runs = server.client.search_runs([server.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def test_epochs_are_seen_while_others_train_and_the_cell_completes_the_same_runs(
    project, server, root, paths
):
    unit, commit = missing()[0], commit_all(root)
    fold_units.announce(unit.cell, unit.variant, "http://tracker")
    fold_units.announce(unit.cell, unit.variant, "http://tracker")
    fold_units.train(unit, "http://tracker")
    runs = recorded(server)
    parent, live = runs.pop(unit.cell), runs.pop(unit.name)
    assert not runs
    assert (parent.info.status, live.info.status) == ("RUNNING", "RUNNING")
    assert live.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert live.data.tags["ser.git_commit"] == parent.data.tags["ser.git_commit"] == commit
    assert "dev/best_uar" not in live.data.metrics
    told = server.client.get_metric_history(live.info.run_id, "dev/uar")
    assert [one.step for one in told] == [1, 2, 3, 4]
    make_runner(root, paths, server, plan=project.plan).run()
    runs = recorded(server)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert len(runs) == 1 + 6
    assert runs[unit.name].info.run_id == live.info.run_id
    assert "dev/best_uar" in runs[unit.name].data.metrics
    again = server.client.get_metric_history(live.info.run_id, "dev/uar")
    assert [(one.step, one.value) for one in again] == [(one.step, one.value) for one in told]


@pytest.fixture
def watched(project, tracking_server, monkeypatch):
    """A tracking server that is asked after every epoch; gives a store on it, and the answers."""
    monkeypatch.setattr(specs, "experiment_name", lambda *_: "ser/live/session")
    monkeypatch.setattr(mlflow_run, "_SEND_EVERY_S", 0.0)  # epochs of real networks take longer
    opened = runners.open_store(project.inputs, "", tracking_server)
    elsewhere = store.connect(tracking_server)
    answers = []
    log_metrics = TellingTracker.log_metrics

    def log_and_ask(self, metrics, *, step=None):
        log_metrics(self, metrics, step=step)
        (run,) = elsewhere.search_runs(
            [opened.experiment_id], f"attributes.run_name = '{self._name}'"
        )
        found = elsewhere.get_metric_history(run.info.run_id, "dev/uar")
        answers.append((self._name, step, run.info.status, [one.step for one in found]))

    monkeypatch.setattr(TellingTracker, "log_metrics", log_and_ask)
    return opened, answers


def test_a_living_server_has_each_epoch_before_the_next_one_ends_and_nothing_twice(
    project, watched, tracking_server, root, paths
):
    opened, answers = watched
    unit, *others = missing()
    fold_units.announce(unit.cell, unit.variant, tracking_server)
    fold_units.train(unit, tracking_server)
    assert {name for name, *_ in answers} == {unit.name}
    told = histories(opened)[unit.name]
    assert [step for step, _ in told] == [1, 2, 3, 4]
    # The others are trained here, while their cell is assembled.
    make_runner(root, paths, opened, plan=project.plan).run()
    names = [unit.name, *(other.name for other in others)]
    assert answers == [
        (name, step, "RUNNING", list(range(1, step + 1))) for name in names for step in (1, 2, 3, 4)
    ]
    runs = recorded(opened)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs.keys() == {unit.cell, *names}
    found = histories(opened)
    assert found[unit.name] == told
    assert all([step for step, _ in found[name]] == [1, 2, 3, 4] for name in names)


def histories(server):
    """Name of a run -> what the server has of its dev UAR: step and value of each point."""
    return {
        name: [
            (one.step, one.value)
            for one in server.client.get_metric_history(run.info.run_id, "dev/uar")
        ]
        for name, run in recorded(server).items()
    }


def test_a_tracking_server_that_is_not_there_ends_no_training(project, monkeypatch, caplog):
    unit = missing()[0]

    def away(*_):
        raise TrackingError("http://tracker: nobody answers")

    monkeypatch.setattr(runners, "open_store", away)
    fold_units.train(unit, "http://tracker")
    assert project.kept(unit.key) is not None
    assert f"{unit.name}: no curves while it trains: http://tracker: nobody" in caplog.text
