"""What only the tracker in memory does; the semantics are in test_mlflow_tracker."""

import pytest

from ser.contracts import RunSpec
from ser.errors import TrackingError
from ser.tracking.memory_tracker import MemoryExperiment


def test_memory_experiment_shows_what_was_recorded(tmp_path):
    path = tmp_path / "curves.png"
    path.write_bytes(b"png")
    experiment = MemoryExperiment()
    spec = RunSpec("lstm-focal", "k", {"ser.model": "lstm"}, {"fit": {"epochs": 2}})
    with experiment.run(spec) as tracker:
        assert experiment.runs["k"].status == "RUNNING"
        tracker.log_metrics({"dev/uar": 0.5}, step=1)
        tracker.log_artifact(path, folder="figures")
    run = experiment.runs["k"]
    assert run.status == "FINISHED"
    assert run.params == {"fit.epochs": "2"}
    assert run.metrics == {"dev/uar": [(1, 0.5)]}
    assert run.artifacts == {"figures/curves.png": b"png"}


def test_a_key_that_is_open_is_refused_a_second_time():
    experiment = MemoryExperiment()
    spec = RunSpec("lstm-focal", "k", {}, {})
    with (
        experiment.run(spec),
        pytest.raises(TrackingError, match="being recorded already"),
        experiment.run(spec),
    ):
        pass
