"""Runs that a killed process left behind."""

import os
import subprocess
import sys

import psutil
import pytest

from ser.contracts import RunSpec
from ser.tracking import stale
from ser.tracking.mlflow_tracker import open_experiment


@pytest.fixture
def experiment(root):
    return open_experiment("ser/demo/session", note="", tags={}, root=root)


def left_behind(experiment, **tags):
    """Make a run RUNNING, as a killed process leaves it, with changed tags."""
    with experiment.run(RunSpec("lstm-focal", "k", {}, {})):
        pass
    run_id = experiment.run_id("k")
    for key, value in tags.items():
        experiment.client.set_tag(run_id, f"ser.{key}", value)
    experiment.client.update_run(run_id, status="RUNNING")
    return run_id


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return str(process.pid)


def test_run_of_a_dead_process_is_found_and_closed_as_killed(root, experiment):
    run_id = left_behind(experiment, pid=dead_pid())
    found = stale.stale_runs(root)
    assert [run.run_id for run in found] == [run_id]
    assert found[0].why.endswith("has ended")
    stale.close_stale(root, found)
    assert experiment.client.get_run(run_id).info.status == "KILLED"
    assert stale.stale_runs(root) == []


def test_run_of_a_living_process_is_left_alone(root, experiment):
    left_behind(experiment)
    assert stale.stale_runs(root) == []


def test_run_whose_process_id_was_given_to_another_is_stale(root, experiment):
    started = psutil.Process(os.getpid()).create_time()
    left_behind(experiment, pid_started=f"{started - 3600:.0f}")
    assert len(stale.stale_runs(root)) == 1


def test_run_of_another_machine_is_closed_once_it_has_been_silent_for_a_day(
    root, experiment, monkeypatch
):
    run_id = left_behind(experiment, pid=dead_pid(), host="elsewhere")
    begun = experiment.client.get_run(run_id).info.start_time
    last = begun + 5 * 3_600_000
    experiment.client.log_metric(run_id, "dev/uar", 0.5, timestamp=begun, step=1)
    experiment.client.log_metric(run_id, "dev/uar", 0.5, timestamp=last, step=2)
    found = {}
    for hours in (0, 25, 28.9, 29.1):  # since it began; its last word came after five
        monkeypatch.setattr(stale.time, "time", lambda hours=hours: begun / 1000 + hours * 3600)
        found[hours] = [(run.run_id, run.why) for run in stale.stale_runs(root)]
    why = "not heard of for 24 hours from elsewhere"
    assert found == {0: [], 25: [], 28.9: [], 29.1: [(run_id, why)]}


def test_run_of_this_machine_may_be_silent_for_as_long_as_its_process_lives(
    root, experiment, monkeypatch
):
    left_behind(experiment)
    monkeypatch.setattr(stale.time, "time", lambda: 1e12)
    assert stale.stale_runs(root) == []
