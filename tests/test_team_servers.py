"""What a team shares, on real PostgreSQL and S3: many writers at once, two hosts."""

import os
import shutil
import signal
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
from optuna.trial import TrialState

from pipelines import extract, prepare, split
from ser.tracking import store
from ser.tuning import storage as storages
from ser.tuning.study import slot_of
from tests.recordings import PARAMS
from tests.servers import at_once


@pytest.fixture
def succeed_at_once(python, tmp_path, project):
    """Let processes do the same at once; each must succeed."""

    def run(work, address):
        command = [python.executable, "-m", "tests.servers.at_once", work.__name__, address]
        env = {**os.environ, "PYTHONPATH": str(project)}
        done = subprocess.run(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    return run


def test_many_processes_meet_an_empty_server_and_each_records_a_run_and_a_version(
    team, succeed_at_once, tmp_path
):
    numbers = range(at_once.NUM_PROCESSES)
    with team.tracking(tmp_path, "writers").running() as uri:
        succeed_at_once(at_once.record_and_register, uri)
        client = store.connect(uri)
        experiment = client.get_experiment_by_name("ser/demo/session")
        runs = client.search_runs([experiment.experiment_id])
        (model,) = client.search_registered_models()
        registered = client.search_model_versions(f"name = '{at_once.MODEL}'")
    keys = [run.data.tags["ser.run_key"] for run in runs]
    assert sorted(keys) == sorted(f"key-{number}" for number in numbers)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(int(version.version) for version in registered) == [n + 1 for n in numbers]
    bundles = [version.tags["ser.bundle_sha256"] for version in registered]
    assert sorted(bundles) == sorted(f"bundle-{number}" for number in numbers)
    assert (model.name, model.aliases) == (at_once.MODEL, {"challenger": str(numbers.stop)})


def test_many_processes_meet_an_empty_database_and_fill_one_study(team, succeed_at_once):
    url = team.postgres.create("studies")
    succeed_at_once(at_once.fill_a_study, url)
    storage = storages.connect(url)
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id)
    ended = [slot_of(trial) for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert sorted(ended) == list(range(at_once.NUM_PROCESSES))
    # Two that prepare the study at once may both queue a slot; one of them is dropped.
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED", "FAIL"}
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


_HOST = """
import socket, sys, time
host, seconds = sys.argv[1], float(sys.argv[2])
socket.gethostname = lambda: host
from ser.tuning import heartbeat, storage
storage.GRACE_S, storage.HEARTBEAT_S, heartbeat.HEARTBEAT_S = 3, 1, 1
from ser.tuning.trial_tracker import TrialTracker
report = TrialTracker.log_metrics

def slowly(self, metrics, *, step=None):
    report(self, metrics, step=step)
    time.sleep(seconds)

TrialTracker.log_metrics = slowly
from pipelines import tune
sys.exit(tune.main(["--trials-only"]))
"""

_TUNED = """
losses: {focal: {}}
recipes: {lstm: {num_epochs: 2, batch_size: 8}}
cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}
tuning: {num_trials: 3, cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}}
"""
NUM_SLOTS = 3 * 3  # folds x trials


@pytest.fixture
def hosts(python, project, project_with_params, tracking_server, team, monkeypatch):
    """Starts `ser tune` as a host of a name does, each in a project folder of its own."""
    root, url = project_with_params, team.postgres.create("hosts")
    # A name of its own on the server that other tests use as well.
    text = PARAMS.replace("name: csv", "name: shared, parser: csv")
    replaced = tuple(line.partition(":")[0] + ":" for line in _TUNED.split())
    kept = [line for line in text.splitlines() if not line.startswith(replaced)]
    (root / "params.yaml").write_text("\n".join([*kept, _TUNED]))
    (root / "data" / "raw" / "csv").rename(root / "data" / "raw" / "shared")
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0
    (root / "host.py").write_text(_HOST)
    env = {"PYTHONPATH": str(project), "MLFLOW_TRACKING_URI": tracking_server}

    def start(name, *, seconds_per_epoch):
        folder = root.with_name(f"{root.name}-{name}")
        if not folder.exists():
            shutil.copytree(root, folder, symlinks=True)
        words = ["host.py", name, str(seconds_per_epoch)]
        return python.start(words, cwd=folder, env={**env, "OPTUNA_STORAGE": url})

    return SimpleNamespace(start=start, url=url)


def test_two_hosts_fill_studies_although_one_is_killed_and_each_trial_is_recorded_once(
    hosts, tracking_server
):
    one = hosts.start("one", seconds_per_epoch=0.1)
    two = hosts.start("two", seconds_per_epoch=1.0)
    storage = storages.connect(hosts.url)

    def trials(*states):
        return [
            trial
            for study in storage.get_all_studies()
            for trial in storage.get_all_trials(study._study_id, deepcopy=False)
            if not states or trial.state in states
        ]

    def by_two(found):
        return [trial for trial in found if trial.user_attrs.get("host") == "two"]

    limit = time.monotonic() + 120
    while not [t for t in by_two(trials(TrialState.RUNNING)) if t.intermediate_values]:
        assert time.monotonic() < limit
        time.sleep(0.02)
    two.kill()
    assert two.wait() == -signal.SIGKILL
    again = hosts.start("two", seconds_per_epoch=0.0)
    assert (one.wait(), again.wait()) == (0, 0)
    assert trials(TrialState.RUNNING, TrialState.WAITING) == []
    # A host that a busy machine keeps from its heartbeat for seconds may lose a trial as well.
    assert by_two(trials(TrialState.FAIL))
    assert len(trials(TrialState.COMPLETE, TrialState.PRUNED)) == NUM_SLOTS
    storage.engine.dispose()

    client = store.connect(tracking_server)
    experiment = client.get_experiment_by_name("ser/shared/session/tuning")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    names = sorted(run.info.run_name for run in runs)
    studies = [f"lstm-focal/fold-{fold}" for fold in (1, 2, 3)]
    nested = [f"{study}/trial-{slot}" for study in studies for slot in range(3)]
    assert names == sorted([*studies, *nested])
    for run in runs:
        for name in run.data.metrics:
            steps = [point.step for point in client.get_metric_history(run.info.run_id, name)]
            assert len(steps) == len(set(steps)), (run.info.run_name, name)
