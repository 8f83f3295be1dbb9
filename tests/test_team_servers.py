"""What a team shares, on real PostgreSQL and S3: many writers at once, a restart, two hosts."""

import signal
import threading
import time

import optuna
import pytest

from ser.contracts import RunSpec
from ser.tracking import mlflow_run, store
from ser.tracking.mlflow_tracker import open_experiment
from ser.tuning import storage as storages
from ser.tuning import study as studies
from tests.tuning.support import study_plan

NUM_WRITERS = 24

_WRITER = """
import pathlib, sys, time
from ser.contracts import RunSpec
from ser.tracking.mlflow_tracker import open_experiment
number, uri, go = sys.argv[1:]
pathlib.Path(f"ready-{number}").touch()
while not pathlib.Path(go).exists(): time.sleep(0.005)
experiment = open_experiment("ser/demo/session", note="n", tags={"a": "b"}, tracking_uri=uri)
with experiment.run(RunSpec(f"run {number}", f"key-{number}", {}, {"lr": 0.1})) as tracker:
    tracker.log_metrics({"dev/uar": int(number) / 32}, step=1)
"""

_OPENER = """
import pathlib, sys, time
from ser.tuning import storage
number, url, go = sys.argv[1:]
pathlib.Path(f"ready-{number}").touch()
while not pathlib.Path(go).exists(): time.sleep(0.005)
storage.connect(url).engine.dispose()
"""


@pytest.fixture
def at_once(python, tmp_path, project):
    """Let processes do the same at once; each must succeed."""

    def run(code, address):
        script, go = tmp_path / "at_once.py", tmp_path / "go"
        script.write_text(code)
        started = []
        for number in range(NUM_WRITERS):
            words = [str(script), str(number), address, str(go)]
            started.append(python.start(words, cwd=tmp_path, env={"PYTHONPATH": str(project)}))
        limit = time.monotonic() + 120
        while len(list(tmp_path.glob("ready-*"))) < NUM_WRITERS:
            assert time.monotonic() < limit
            time.sleep(0.05)
        go.touch()
        assert [process.wait() for process in started] == [0] * NUM_WRITERS

    return run


def test_many_processes_meet_an_empty_server_and_all_record(team, at_once, tmp_path):
    with team.tracking(tmp_path, "writers").running() as uri:
        at_once(_WRITER, uri)
        client = store.connect(uri)
        experiment = client.get_experiment_by_name("ser/demo/session")
        runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["ser.run_key"] for run in runs) == sorted(
        f"key-{number}" for number in range(NUM_WRITERS)
    )
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_many_processes_meet_an_empty_database_of_studies(team, at_once):
    url = team.postgres.create("studies")
    at_once(_OPENER, url)
    storage = storages.connect(url)
    study = optuna.create_study(storage=storage)
    assert study.trials == []
    storage.engine.dispose()


def test_what_is_done_alone_is_done_by_one_after_another(team):
    url = team.postgres.create("alone")
    inside, most = [], []

    def work():
        with storages.alone(url, "a topic"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.2)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    with storages.alone(url, "another topic"):
        assert not most or max(most) == 1
    for thread in threads:
        thread.join(60)
    assert most == [1] * 4


@pytest.fixture
def restarting(team, tmp_path):
    """A server that is there, and a function that takes it away for ten seconds."""
    server = team.tracking(tmp_path, "restarted")
    started, stop, away, over = (threading.Event() for _ in range(4))

    def serve():
        with server.running():
            started.set()
            stop.wait(200)
        away.set()
        time.sleep(10)
        with server.running():
            over.wait(200)

    def take_away():
        stop.set()
        assert away.wait(90)

    thread = threading.Thread(target=serve)
    thread.start()
    assert started.wait(120)
    yield server.uri, take_away
    stop.set()
    over.set()
    thread.join(200)


def test_a_restart_in_the_middle_of_a_training_loses_nothing(
    team, restarting, tmp_path, monkeypatch
):
    uri, take_away = restarting
    monkeypatch.setattr(mlflow_run, "_SEND_EVERY_S", 0.0)
    (tmp_path / "a.txt").write_text("a")
    cell = RunSpec("lstm-focal", "cell-key", {}, {"lr": 0.1})
    first, second = (RunSpec(f"fold-{n}", f"fold-{n}-key", {}, {"lr": 0.1}) for n in (1, 2))
    options = {"note": "n", "tags": {}, "root": tmp_path, "is_training": True}
    experiment = open_experiment("ser/demo/session", tracking_uri=uri, **options)
    with experiment.run(cell):
        with experiment.run(first, parent_key="cell-key") as tracker:
            tracker.log_metrics({"dev/uar": 0.125}, step=1)
            take_away()
            tracker.log_metrics({"dev/uar": 0.25}, step=2)  # waits, and training does not
            tracker.log_artifact(tmp_path / "a.txt")  # waits for the server
        with experiment.run(second, parent_key="cell-key") as tracker:
            tracker.log_metrics({"dev/uar": 0.5}, step=1)
    runs = experiment.client.search_runs([experiment.experiment_id])
    keys = sorted(run.data.tags["ser.run_key"] for run in runs)
    assert keys == ["cell-key", "fold-1-key", "fold-2-key"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    run_id = experiment.run_id("fold-1-key")
    curve = experiment.client.get_metric_history(run_id, "dev/uar")
    assert [(metric.step, metric.value) for metric in curve] == [(1, 0.125), (2, 0.25)]
    assert [file.path for file in experiment.client.list_artifacts(run_id)] == ["a.txt"]
    assert any(key.endswith("/a.txt") for key in team.s3.keys("restarted"))


_HOST = """
import os, socket, sys, time
host, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
socket.gethostname = lambda: host
from ser.tuning import storage as storages, study as studies
storages.GRACE_S, storages.HEARTBEAT_S = 3, 1
import ser.tuning.heartbeat as heartbeat
heartbeat.HEARTBEAT_S = 1
from ser.tuning import workers
from tests.tuning.support import bowl, study_plan

class Job:
    study = study_plan(num_trials=8)
    def data(self): return None

def objective(*_):
    return lambda values, tracker: bowl(values, tracker, delay=lambda: time.sleep(seconds))

workers.job_making.objective = objective
workers.device.accelerator = lambda _: None
workers.run([Job()], url, num_workers=1, report=lambda: None)
"""


def test_two_hosts_fill_a_study_although_one_is_killed(team, python, project, tmp_path):
    url = team.postgres.create("hosts")
    script = tmp_path / "host.py"
    script.write_text(_HOST)
    hosts = []
    for name, seconds in (("one", 0.1), ("two", 1.0)):
        (tmp_path / name).mkdir()
        words = [str(script), name, url, str(seconds)]
        env = {"PYTHONPATH": str(project)}
        hosts.append(python.start(words, cwd=tmp_path / name, env=env))
    plan, storage = study_plan(num_trials=8), storages.connect(url)
    study = studies.load(plan, storage)
    limit = time.monotonic() + 60

    def taken():
        running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        return [t for t in running if t.user_attrs.get("host") == "two" and t.intermediate_values]

    while not taken():
        assert time.monotonic() < limit
        time.sleep(0.05)
    hosts[1].kill()
    assert hosts[1].wait() == -signal.SIGKILL
    assert hosts[0].wait() == 0
    trials = studies.finished(plan, study)
    assert [studies.slot_of(trial) for trial in trials] == list(range(8))
    every = study.get_trials(deepcopy=False)
    assert "RUNNING" not in {trial.state.name for trial in every}
    # A host that a busy machine keeps from its heartbeat for seconds may lose a trial as well.
    lost = [trial for trial in every if trial.state.name == "FAIL"]
    assert "two" in {trial.user_attrs.get("host") for trial in lost}
    storage.engine.dispose()
