"""A server that is away for a while, as a stand-in that answers when it is told to."""

import itertools

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ser.contracts import RunSpec
from ser.errors import TrackingError
from ser.tracking import mlflow_run, outage, store
from ser.tracking.mlflow_tracker import open_experiment
from ser.tracking.outage import Patience

URI = "http://ser:secret@example.org"
SPEC = RunSpec("lstm-focal/fold-1", "fold-key", {"ser.fold": "1"}, {"lr": 0.1})


def away():
    """What MLflow raises where nobody listens."""
    error = MlflowException("API request to /api failed with exception")
    error.__cause__ = requests.ConnectionError("refused")
    return error


class Server:
    """Fails a number of calls, then answers; says that it is healthy again by then."""

    def __init__(self, failures):
        self.failures, self.calls = failures, 0

    def act(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise away()
        return "done"

    def ask(self, _uri):
        if self.calls < self.failures:
            self.calls += 1
            raise OSError("refused")


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch):
    """A clock that is a second later whenever somebody waits."""
    clock = itertools.count()
    now = [next(clock)]
    monkeypatch.setattr(outage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(outage.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (away(), True),
        (requests.Timeout(), True),
        (requests.exceptions.RetryError("too many 503 error responses"), True),
        (requests.exceptions.RetryError("too many 500 error responses"), False),
        (MlflowException("no such run"), False),
        (ValueError("a fault of ours"), False),
    ],
)
def test_only_a_server_that_does_not_answer_is_away(error, said):
    assert outage.is_away(error) is said


def test_a_server_that_comes_back_gets_the_call_again(monkeypatch, caplog):
    server = Server(failures=5)
    monkeypatch.setattr(outage, "ask", server.ask)
    assert Patience(URI).call(server.act) == "done"
    assert "http://ser:***@example.org: no answer; waiting" in caplog.text
    assert "secret" not in caplog.text


def test_a_server_that_stays_away_is_waited_for_once(monkeypatch):
    server = Server(failures=10_000)
    monkeypatch.setattr(outage, "ask", server.ask)
    patience = Patience(URI)
    with pytest.raises(MlflowException):
        patience.call(server.act)
    assert outage.PATIENCE_S <= server.calls <= outage.PATIENCE_S + 2
    before = server.calls
    with pytest.raises(MlflowException):
        patience.call(server.act)
    assert server.calls == before + 1


def test_who_may_not_wait_fails_at_once_and_so_does_a_local_store(monkeypatch):
    server = Server(failures=10_000)
    monkeypatch.setattr(outage, "ask", server.ask)
    with pytest.raises(MlflowException), outage.at_once():
        Patience(URI).call(server.act)
    with pytest.raises(MlflowException):
        Patience("sqlite:///mlflow.db").call(server.act)
    assert server.calls == 2


def test_what_makes_something_is_not_given_twice(monkeypatch):
    server = Server(failures=1)
    monkeypatch.setattr(outage, "ask", server.ask)
    monkeypatch.setattr(MlflowClient, "create_experiment", lambda *_: server.act())
    monkeypatch.setattr(MlflowClient, "get_run", lambda *_: server.act())
    client = store.Client(URI)
    with pytest.raises(MlflowException):
        client.create_experiment("a")
    server.calls = 0
    assert client.get_run("a") == "done"


@pytest.fixture
def experiment(root):
    """An experiment of trainings, and a way to take its store away: `cut` names what fails."""
    return open_experiment("ser/demo/session", note="demo", tags={}, root=root, is_training=True)


@pytest.fixture
def cut(monkeypatch):
    """Take the server away for some of its methods."""

    def fail(*_, **__):
        raise away()

    def take(patch, *names):
        for name in names:
            patch.setattr(MlflowClient, name, fail)

    return take


ALL = ("search_runs", "create_run", "log_batch", "log_artifact", "log_inputs", "set_terminated")


def test_metrics_wait_while_the_server_is_away_and_none_is_lost(experiment, cut, monkeypatch):
    monkeypatch.setattr(mlflow_run, "_SEND_EVERY_S", 0.0)
    with experiment.run(SPEC) as tracker:
        with monkeypatch.context() as patch:
            cut(patch, *ALL)
            for epoch in (1, 2):
                tracker.log_metrics({"dev/uar": epoch / 8}, step=epoch)
        tracker.log_metrics({"dev/uar": 0.5}, step=3)
    (run,) = experiment.client.search_runs([experiment.experiment_id])
    curve = experiment.client.get_metric_history(run.info.run_id, "dev/uar")
    assert [(metric.step, metric.value) for metric in curve] == [(1, 0.125), (2, 0.25), (3, 0.5)]
    assert run.info.status == "FINISHED"


def test_a_server_that_stays_away_ends_no_training_and_the_run_is_taken_up_later(
    experiment, cut, monkeypatch, tmp_path, caplog
):
    (tmp_path / "a.txt").write_text("a")

    with monkeypatch.context() as patch, experiment.run(SPEC) as tracker:
        tracker.log_metrics({"dev/uar": 0.5}, step=1)
        cut(patch, *ALL)
        tracker.log_artifact(tmp_path / "a.txt")
        tracker.set_tags({"a": "b"})
    assert caplog.text.count("training goes on") == 1
    (run,) = experiment.client.search_runs([experiment.experiment_id])
    assert run.info.status == "RUNNING"
    with experiment.run(SPEC) as tracker:
        tracker.log_metrics({"dev/uar": 0.5}, step=1)
        tracker.log_artifact(tmp_path / "a.txt")
    (again,) = experiment.client.search_runs([experiment.experiment_id])
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert [file.path for file in experiment.client.list_artifacts(run.info.run_id)] == ["a.txt"]


def test_a_run_that_cannot_be_opened_is_left_out_and_so_are_those_in_it(
    experiment, cut, monkeypatch
):
    cell = RunSpec("lstm-focal", "cell-key", {}, {})
    with monkeypatch.context() as patch:
        cut(patch, *ALL)
        parent = experiment.run(cell)
        parent.__enter__().set_tags({"a": "b"})
    with experiment.run(SPEC, parent_key="cell-key") as tracker:
        tracker.log_metrics({"dev/uar": 0.5}, step=1)
    parent.__exit__(None, None, None)
    assert experiment.client.search_runs([experiment.experiment_id]) == []


def test_what_is_no_training_says_that_the_server_is_away(experiment, cut, root, monkeypatch):
    other = open_experiment("ser/demo/session", note="demo", tags={}, root=root)
    with monkeypatch.context() as patch:
        cut(patch, *ALL)
        with pytest.raises(TrackingError, match="API request"), other.run(SPEC):
            pass


@pytest.mark.parametrize("error", [away(), MlflowException("it refuses")])
def test_no_failure_of_the_store_reaches_who_trains_a_part_of_a_run(experiment, monkeypatch, error):
    experiment.announce(SPEC)
    fold = RunSpec("fold", "part-key", {}, {"lr": 0.1})

    def fail(*_, **__):
        raise error

    with (
        monkeypatch.context() as patch,
        experiment.part(fold, parent_key=SPEC.run_key) as tracker,
    ):
        patch.setattr(MlflowClient, "log_batch", fail)
        patch.setattr(mlflow_run, "_SEND_EVERY_S", 0.0)
        for epoch in (1, 2):
            tracker.log_metrics({"dev/uar": 0.5}, step=epoch)
    assert not experiment.is_finished(fold.run_key)
    with experiment.run(fold, parent_key=SPEC.run_key) as tracker:
        tracker.log_metrics({"dev/uar": 0.5}, step=1)
    assert experiment.is_finished(fold.run_key)


def test_a_part_of_a_run_that_is_finished_is_silent_and_one_without_a_parent_is_refused(experiment):
    with experiment.run(SPEC):
        pass
    with experiment.part(SPEC, parent_key="unknown") as tracker:
        tracker.log_metrics({"dev/uar": 0.5}, step=1)
    assert experiment.client.get_run(experiment.run_id(SPEC.run_key)).data.metrics == {}
    other = RunSpec("fold", "part-key", {}, {})
    with (
        pytest.raises(TrackingError, match="no parent run"),
        experiment.part(other, parent_key="unknown"),
    ):
        pass
