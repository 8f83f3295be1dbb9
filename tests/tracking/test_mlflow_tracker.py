"""One contract for both trackers, then what only MLflow's does."""

import dataclasses
import http.server
import json
import logging
import multiprocessing
import os
import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from ser.contracts import DatasetReference, RunSpec
from ser.errors import TrackingError
from ser.tracking import mlflow_run, outage
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tracking.mlflow_tracker import open_experiment

SPEC = RunSpec(
    "lstm-focal",
    "cell-key",
    {"ser.model": "lstm", "ser.git_commit": "abc"},
    {"fit": {"lr": 0.001, "amp": False}, "seeds": [1, 2], "limit": None},
    note="**synthetic**",
    datasets=(DatasetReference("manifest", "d" * 64, "data/manifest.jsonl", "training"),),
)
FOLD = RunSpec("lstm-focal/fold-0/seed-1", "fold-key", {"ser.fold": "0"}, {})


class MemoryView:
    """What a MemoryExperiment holds, in the words that both views share."""

    def __init__(self, _root):
        self.experiment = MemoryExperiment()

    def reopen(self):
        return self.experiment

    def metrics(self, key, name):
        return self.experiment.runs[key].metrics.get(name, [])

    def status(self, key):
        return self.experiment.runs[key].status

    def params(self, key):
        return self.experiment.runs[key].params

    def tags(self, key):
        return self.experiment.runs[key].tags

    def artifacts(self, key):
        return set(self.experiment.runs[key].artifacts)


class MlflowView:
    """The same for an experiment in MLflow, read back through its client."""

    def __init__(self, root):
        self.root = root
        self.experiment = self.reopen()
        self.client = self.experiment.client

    def reopen(self):
        return open_experiment("ser/demo/session", note="demo", tags={}, root=self.root)

    def run(self, key):
        return self.client.get_run(self.experiment.run_id(key))

    def metrics(self, key, name):
        history = self.client.get_metric_history(self.experiment.run_id(key), name)
        return [(metric.step, metric.value) for metric in history]

    def status(self, key):
        return self.run(key).info.status

    def params(self, key):
        return self.run(key).data.params

    def tags(self, key):
        return self.run(key).data.tags

    def artifacts(self, key):
        folder = Path(self.run(key).info.artifact_uri)
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}


@pytest.fixture(params=[MemoryView, MlflowView])
def view(request, root):
    return request.param(root)


def test_run_keeps_params_tags_metrics_and_artifacts(view, tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")
    with view.experiment.run(SPEC) as tracker:
        tracker.log_metrics({"train/loss": 1.0, "dev/uar": 0.25}, step=1)
        tracker.log_metrics({"test/uar": 0.5})
        tracker.log_artifact(folder / "a.png", folder="curves")
        tracker.log_artifact(folder)
        tracker.set_tags({"ser.best_epoch": "1"})
    assert view.status("cell-key") == "FINISHED"
    assert view.metrics("cell-key", "dev/uar") == [(1, 0.25)]
    assert view.metrics("cell-key", "test/uar") == [(0, 0.5)]
    expected = {"fit.lr": "0.001", "fit.amp": "false", "seeds": "[1, 2]", "limit": "none"}
    assert view.params("cell-key") == expected
    assert view.tags("cell-key")["ser.model"] == "lstm"
    assert view.tags("cell-key")["ser.best_epoch"] == "1"
    assert view.artifacts("cell-key") == {"curves/a.png", "figures/a.png"}


def test_finished_run_is_never_logged_again(view, tmp_path):
    (tmp_path / "late.txt").write_text("x")
    with view.experiment.run(SPEC) as tracker:
        tracker.log_metrics({"dev/uar": 0.25}, step=1)
    with view.reopen().run(SPEC) as tracker:
        tracker.log_metrics({"dev/uar": 0.75}, step=2)
        tracker.set_tags({"late": "1"})
        tracker.log_artifact(tmp_path / "late.txt")
    assert view.metrics("cell-key", "dev/uar") == [(1, 0.25)]
    assert "late" not in view.tags("cell-key")
    assert view.artifacts("cell-key") == set()
    assert view.experiment.is_finished("cell-key")


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED")],
)
def test_broken_run_says_how_it_ended_and_is_resumed_without_doubling(view, error, status):
    def break_down():
        with view.experiment.run(SPEC) as tracker:
            tracker.log_metrics({"dev/uar": 0.1}, step=1)
            tracker.log_metrics({"dev/uar": 0.2}, step=2)
            raise error

    with pytest.raises(error):
        break_down()
    assert view.status("cell-key") == status
    assert not view.experiment.is_finished("cell-key")
    with view.reopen().run(SPEC) as tracker:
        tracker.log_metrics({"dev/uar": 0.2}, step=2)
        tracker.log_metrics({"dev/uar": 0.3}, step=3)
    assert view.metrics("cell-key", "dev/uar") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert view.status("cell-key") == "FINISHED"


def test_metric_that_is_not_a_number_is_left_out_with_a_warning(view, caplog):
    with caplog.at_level(logging.WARNING), view.experiment.run(SPEC) as tracker:
        tracker.log_metrics({"dev/loss": float("nan"), "dev/uar": 0.5}, step=1)
    assert view.metrics("cell-key", "dev/loss") == []
    assert view.metrics("cell-key", "dev/uar") == [(1, 0.5)]
    assert "dev/loss" in caplog.text


def test_nested_run_needs_its_parent(view):
    with (
        pytest.raises(TrackingError, match="no parent run has the key nobody"),
        view.experiment.run(FOLD, parent_key="nobody"),
    ):
        pass


def test_artifact_that_is_missing_is_refused_by_name(view, tmp_path):
    with (
        pytest.raises(TrackingError, match=r"gone\.png: no such file"),
        view.experiment.run(SPEC) as tracker,
    ):
        tracker.log_artifact(tmp_path / "gone.png")


def test_names_of_any_characters_are_recorded(root):
    names = [
        "joy (acted)",
        "anger+",
        "O'Neil",
        "ann@lab",
        "#1",
        "Jörg",
        "a,b",
        "a:b/c\\d",
        "..",
        "💥",
    ]
    spec = dataclasses.replace(SPEC, params={"corpus": {"label_map": dict.fromkeys(names, "sad")}})
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=root)
    with experiment.run(spec):
        pass
    recorded = MlflowView(root).params(spec.run_key)
    assert json.loads(recorded["corpus.label_map"]) == dict.fromkeys(names, "sad")


def test_a_run_whose_params_the_store_refuses_is_closed(root):
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=root)
    with (
        pytest.raises(TrackingError, match="Invalid"),
        experiment.run(dataclasses.replace(SPEC, params={"a(b)": 1})),
    ):
        raise AssertionError("the run was opened")
    assert MlflowView(root).status(SPEC.run_key) == "FAILED"


def test_nested_run_hangs_below_its_parent(root):
    view = MlflowView(root)
    with view.experiment.run(SPEC), view.experiment.run(FOLD, parent_key="cell-key"):
        pass
    parent = view.experiment.run_id("cell-key")
    assert view.tags("fold-key")["mlflow.parentRunId"] == parent
    assert view.run("fold-key").info.run_name == "lstm-focal/fold-0/seed-1"


def test_run_records_process_datasets_and_dvc_stage(root, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@lstm-focal")
    view = MlflowView(root)
    with view.experiment.run(SPEC):
        pass
    tags = view.tags("cell-key")
    assert tags["ser.pid"] == str(os.getpid())
    assert tags["ser.host"] == socket.gethostname()
    assert tags["ser.dvc_stage"] == "train@lstm-focal"
    assert tags["mlflow.source.git.commit"] == "abc"
    assert tags["mlflow.note.content"] == "**synthetic**"
    (dataset,) = view.run("cell-key").inputs.dataset_inputs
    assert dataset.dataset.digest == "d" * 36
    assert dataset.tags[0].value == "training"


def test_resumed_run_keeps_its_first_params_and_says_so(root, caplog):
    view = MlflowView(root)
    with pytest.raises(RuntimeError), view.experiment.run(SPEC):
        raise RuntimeError
    other = RunSpec(SPEC.name, SPEC.run_key, SPEC.tags, {"limit": 3, "new": 1})
    with caplog.at_level(logging.WARNING), view.experiment.run(other):
        pass
    assert view.params("cell-key")["limit"] == "none"
    assert view.params("cell-key")["new"] == "1"
    assert "keeps its first values of limit" in caplog.text


def test_many_params_fit_into_several_requests(root):
    view = MlflowView(root)
    with view.experiment.run(RunSpec("a", "k", {}, {f"p{i}": i for i in range(250)})):
        pass
    assert len(view.params("k")) == 250


def test_experiment_keeps_note_tags_and_artifacts_beside_the_database(root):
    opened = open_experiment("ser/demo/session", note="hello", tags={"a": "b"}, root=root)
    experiment = opened.client.get_experiment(opened.experiment_id)
    assert experiment.tags["mlflow.note.content"] == "hello"
    assert experiment.tags["a"] == "b"
    assert experiment.artifact_location == str(root / "mlruns" / "ser-demo-session")


def test_deleted_experiment_is_refused_with_the_command_that_brings_it_back(root):
    opened = open_experiment("ser/x/y", note="", tags={}, root=root)
    opened.client.delete_experiment(opened.experiment_id)
    with pytest.raises(TrackingError, match="experiments restore --experiment-id"):
        open_experiment("ser/x/y", note="", tags={}, root=root)


@pytest.mark.stage
def test_same_key_in_another_process_is_refused(root):
    view = MlflowView(root)
    with view.experiment.run(SPEC):
        context = fresh_processes()
        with context.Pool(1) as pool:
            message = pool.apply(_try_to_record, (str(root), "cell-key"))
    assert "another process is recording it" in message


def fresh_processes():
    """Processes with nothing of this one's state; MLflow is imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ser.tracking.mlflow_tracker"])
    return context


def _try_to_record(root, key):
    try:
        experiment = open_experiment("ser/demo/session", note="demo", tags={}, root=Path(root))
        with experiment.run(RunSpec(key, key, {}, {})) as tracker:
            for step in range(1, 6):
                tracker.log_metrics({"a": step, "b": step}, step=step)
    except TrackingError as error:
        return str(error)
    return "recorded"


@pytest.mark.stage
def test_processes_that_meet_a_fresh_store_together_all_record(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    context = fresh_processes()
    with context.Pool(2) as pool:
        keys = ["one", "two"]
        said = pool.starmap(_try_to_record, [(str(tmp_path), key) for key in keys], chunksize=1)
    assert said == ["recorded"] * 2
    view = MlflowView(tmp_path)
    for key in keys:
        assert view.metrics(key, "b") == [(step, step) for step in range(1, 6)]
    path = tmp_path / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_run_key_is_looked_up_in_its_own_experiment_only(root):
    first = open_experiment("ser/a/b", note="", tags={}, root=root)
    with first.run(SPEC):
        pass
    second = open_experiment("ser/a/c", note="", tags={}, root=root)
    assert first.is_finished("cell-key")
    assert second.run_id("cell-key") is None


def test_dead_server_fails_in_seconds_and_names_the_cure():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(TrackingError, match=r"no answer .* MLFLOW_TRACKING_URI") as caught:
        open_experiment("x", note="", tags={}, tracking_uri=uri)
    assert uri in str(caught.value)
    assert time.monotonic() - start < 5


def test_hanging_server_fails_in_seconds(monkeypatch):
    monkeypatch.setattr(outage, "HEALTH_TIMEOUT_S", 0.3)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(TrackingError, match="no answer"):
            open_experiment("x", note="", tags={}, tracking_uri=uri)
    assert time.monotonic() - start < 5


def test_server_in_trouble_is_named_with_its_status():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(503)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        uri = f"http://127.0.0.1:{server.server_port}"
        try:
            with pytest.raises(TrackingError, match="answers 503"):
                open_experiment("x", note="", tags={}, tracking_uri=uri)
        finally:
            server.shutdown()
            thread.join()


def test_store_error_in_a_run_is_told_as_ours(root, monkeypatch):
    def fail(*_arguments, **_keywords):
        raise MlflowException("disk is full")

    view = MlflowView(root)
    monkeypatch.setattr(view.client, "log_batch", fail)
    with (
        pytest.raises(TrackingError, match=r"disk is full.*ser doctor"),
        view.experiment.run(FOLD) as tracker,
    ):
        tracker.log_metrics({"a": 1.0}, step=1)
    monkeypatch.undo()
    assert view.status("fold-key") == "FAILED"


def test_quick_epochs_are_sent_together_and_slow_ones_at_once(root, monkeypatch):
    view = MlflowView(root)
    log_batch, sent = view.client.log_batch, []

    def count(run_id, metrics=(), **rest):
        sent.extend([sorted({metric.step for metric in metrics})] if metrics else [])
        log_batch(run_id, metrics=metrics, **rest)

    monkeypatch.setattr(view.client, "log_batch", count)
    with view.experiment.run(FOLD) as tracker:
        for epoch in (1, 2, 3):
            tracker.log_metrics({"dev/uar": epoch / 8}, step=epoch)
        assert sent == []
        monkeypatch.setattr(mlflow_run, "_SEND_EVERY_S", 0.0)
        tracker.log_metrics({"dev/uar": 0.5}, step=4)
        assert sent == [[1, 2, 3, 4]]
        monkeypatch.setattr(mlflow_run, "_SEND_EVERY_S", 1e6)
        tracker.log_metrics({"dev/uar": 0.625}, step=5)
    assert sent == [[1, 2, 3, 4], [5]]
    assert view.metrics("fold-key", "dev/uar") == [(epoch, epoch / 8) for epoch in range(1, 6)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_metrics_that_wait_are_recorded_of_a_run_that_breaks_off(root, error):
    view = MlflowView(root)

    def fit():
        with view.experiment.run(FOLD) as tracker:
            tracker.log_metrics({"dev/uar": 0.25}, step=1)
            raise error

    with pytest.raises(error):
        fit()
    assert view.metrics("fold-key", "dev/uar") == [(1, 0.25)]
