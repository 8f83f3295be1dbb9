"""Features, tuning and grid on two nodes, one of which is killed.

What one machine would leave comes of it to the byte; each trial of tuning is recorded once.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ser.engine.local import LocalEngine
from ser.tuning import storage as storages
from ser.tuning.study import slot_of
from ser.workflow import dvc_runs, missing_stages
from tests.engine import ray_nodes
from tests.engine.ray_nodes import RayNode
from tests.recordings import write_corpus
from tests.servers import postgres

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's, of its library
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),  # SQLAlchemy's, of MLflow
    # Other tests have imported the programs that run here.
    pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning"),
]

PARAMS = """
launcher: python -m
synthetic_corpora: []
synthetic_weights: {}
corpus: {name: csv, synthetic: true, max_rejected: 0}
split: {protocol: session}
audio: {sampling_rate: 16000}
features: {mfcc: {hop_ms: 20.0}}
models: {lstm: {hidden_size: 8, num_layers: 1, embedding_dim: 8}}
losses: {cross_entropy: {}, focal: {}}
recipes: {lstm: {num_epochs: 4, batch_size: 4}}
training: {seeds: [0, 1, 2], device: cpu}
extracted: {mfcc: {weights: none}}
baselines: {feature: mfcc}
cells:
  lstm-cross_entropy: {model: lstm, loss: cross_entropy, feature: mfcc}
  lstm-focal: {model: lstm, loss: focal, feature: mfcc}
tuning: {cells: {}}
robustness: {without_copies: {}}
cross_corpus: {corpora: {}, cells: {}}
"""
#: Folders of a checkout that stages read, with nothing in them.
EMPTY = tuple(
    f"data/{name}"
    for name in ("crossed", "protocol_gaps", "sounds", "untuned", "weights/none", "without_copies")
)
IPS = ("127.0.0.1", "127.0.0.2")
NUM_UNITS = 2 * 3 * 3  # cells, folds, seeds
CELLS = ["train@lstm-cross_entropy", "train@lstm-focal"]

TUNED = """
tuning:
  num_trials: 3
  storage: {storage}
  cells: {{lstm-focal: {{model: lstm, loss: focal, feature: mfcc}}}}
"""
NUM_SLOTS = 3 * 3  # folds, trials
#: Seconds of `ser.tuning.storage`: a trial of a dead node is free again before the test has waited.
SOON = {"HEARTBEAT_S = 30": "HEARTBEAT_S = 1", "GRACE_S = 300": "GRACE_S = 5"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory, project):
    """The same project four times, its features extracted: for one machine and for a cluster."""
    base = tmp_path_factory.mktemp("grid")
    names = ("alone", "driver", "first", "second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(base / "site-cache"))
        patch.setenv("GIT_CEILING_DIRECTORIES", str(base))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        made = base / names[0]
        for folder in ("ser", "pipelines"):
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(project / folder, made / folder, ignore=without)
        storage = made / "ser" / "tuning" / "storage.py"
        text = storage.read_text()
        for said, soon in SOON.items():
            assert said in text
            text = text.replace(said, soon)
        storage.write_text(text)
        for name in ("dvc.yaml", ".dvcignore"):  # what Python compiles is no source
            shutil.copy(project / name, made)
        (made / "params.yaml").write_text(PARAMS)
        write_corpus(made / "data" / "raw" / "csv", per_emotion=2)
        for empty in EMPTY:
            (made / empty).mkdir(parents=True)
        patch.chdir(made)
        subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], check=True)
        missing_stages.make_sources(LocalEngine(1), Path())
        missing_stages.make_features(LocalEngine(1), Path())
        missing_stages.tune(Path())
        for name in names[1:]:
            shutil.copytree(made, base / name, symlinks=True)
        # The driver lets a node extract them anew.
        for folder in ("data/features", "work/features", ".dvc/cache"):
            shutil.rmtree(base / "driver" / folder)
        yield {name: base / name for name in names}


@pytest.fixture(scope="module")
def head(folders):
    """The node that nobody kills."""
    # Sockets want a short path.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ray") as name:
        node = RayNode(folders["first"], IPS[0], Path(name))
        with ray_nodes.killing(node):
            yield node


@pytest.fixture
def second(folders, head):
    """The node that is killed in the middle of its work."""
    node = RayNode(folders["second"], IPS[1], head.temp, head.address)
    with ray_nodes.killing(node):
        yield node


def test_a_killed_node_changes_no_byte(folders, head, second, monkeypatch):
    # In a process of its own, as on a node: what other tests have set in this one changes bits.
    assert ser(folders["alone"], "grid", "--jobs", "1").wait() == 0
    look_at_both(folders, head.address)
    said = drive(folders["driver"], second, "grid", "--address", head.address)
    assert "shard 1 of 1: extract/mfcc/shard-0 done" in said
    # Every fold came to its end, and one was begun again for the node that died with it.
    assert f"fold {NUM_UNITS} of {NUM_UNITS}" in said
    assert_begun_again(said, NUM_UNITS)
    assert finished_on(IPS[1], said)
    assert len(finished_on(IPS[1], said)) < NUM_UNITS
    for kind in ("shards", "studies", "folds"):  # what is here, no living node keeps
        assert not list((folders["first"] / "work").glob(f"{kind}/*"))
    monkeypatch.chdir(folders["driver"])
    assert not dvc_runs.repro(Path(), *CELLS)
    assert Path("dvc.lock").read_bytes() == (folders["alone"] / "dvc.lock").read_bytes()
    assert len(recorded(folders["driver"])) == NUM_UNITS + len(CELLS)
    for name in ("first", "second"):
        assert not (folders[name] / "mlruns" / "mlflow.db").exists()  # one writer


@pytest.fixture
def storage():
    """Where studies are: PostgreSQL, where it is installed; else each machine has a file."""
    if postgres.programs() is None:
        yield "sqlite:///mlruns/optuna.db"
        return
    with postgres.serve() as server:
        yield server.create("studies")


def test_two_nodes_tune_although_one_is_killed_and_each_trial_is_recorded_once(
    folders, head, second, storage, monkeypatch
):
    params = PARAMS.replace("tuning: {cells: {}}\n", TUNED.format(storage=storage))
    for name in ("driver", "first", "second"):
        (folders[name] / "params.yaml").write_text(params)
    driver = folders["driver"]
    # With a file each, units are whole studies, too few for each node to get a second one.
    num_units, finished = (3, 0) if storages.is_local(storage) else (NUM_SLOTS, 1)
    words = ("grid", "--only", "tune", "--address", head.address)
    said = drive(driver, second, *words, finished=finished)
    assert f"search {num_units} of {num_units}" in said
    assert_begun_again(said, num_units)
    monkeypatch.chdir(driver)
    opened = storages.connect(storages.resolve(storage, Path()))
    trials = [
        (study.study_name, slot_of(trial), trial.state.name)
        for study in opened.get_all_studies()
        for trial in opened.get_all_trials(study._study_id)
    ]
    opened.engine.dispose()
    ended = [trial[:2] for trial in trials if trial[2] in ("COMPLETE", "PRUNED")]
    assert len(ended) == len(set(ended)) == NUM_SLOTS
    assert {state for *_, state in trials} <= {"COMPLETE", "PRUNED", "FAIL"}
    assert not dvc_runs.repro(Path(), "tune")
    names = Counter(run.info.run_name for run in recorded(driver) if is_search(run))
    studies = [f"lstm-focal/fold-{fold}" for fold in (1, 2, 3)]
    nested = [f"{study}/trial-{slot}" for study in studies for slot in range(3)]
    assert names == Counter([*studies, *nested])
    assert not list((folders["first"] / "work").glob("studies/*"))
    for name in ("first", "second"):
        assert not (folders[name] / "mlruns" / "mlflow.db").exists()


def look_at_both(folders, address):
    """Ask the nodes what they have: the second one lacks its folds for this moment."""
    splits = folders["second"] / "data" / "splits.csv"
    splits.rename(splits.with_suffix(".aside"))
    try:
        doctor = ser(folders["alone"], "doctor", "--cluster", address, output=subprocess.PIPE)
        said, status = doctor.communicate()[0].decode(), doctor.returncode
    finally:
        splits.with_suffix(".aside").rename(splits)
    lines = [line for line in said.splitlines() if line.startswith(("ok", "warn", "fail"))]
    second = [one for one in lines if f"node {IPS[1]}:" in one]
    first = [one for one in lines if one not in second]  # Ray calls 127.0.0.1 otherwise
    assert [line.split()[0] for line in first] == ["ok"] * 4, said
    assert [line.split()[0] for line in second] == ["ok", "ok", "fail", "ok"], said
    assert "data/splits.csv is absent there and" in second[2]
    assert status == 1
    assert "Traceback" not in said


def drive(folder, victim, *words, finished=1):
    """Run a command; kill a node once it has finished so many units and is at another one."""
    log = folder / "grid.log"
    with log.open("w") as output:
        driver = ser(folder, *words, output=output)
    try:
        end = time.monotonic() + 400
        while driver.poll() is None and time.monotonic() < end:
            said = log.read_text()
            if len(finished_on(victim.ip, said)) >= finished and at_work_on(victim.ip, said):
                victim.kill()
            time.sleep(0.02)
    finally:
        driver.kill()
    said = log.read_text()
    assert driver.wait() == 0, said
    return said


def places(said):
    """Return where each unit was begun for the last time, by the log of whoever asked for it."""
    return dict(re.findall(r"^(\S+): begins on .*\((\S+)\)$", said, re.MULTILINE))


def finished_on(ip, said):
    """Return the folds or searches that a node has finished."""
    done = re.findall(r"^(?:fold|search) \d+ of \d+: (\S+) done$", said, re.MULTILINE)
    return [unit for unit in done if places(said)[unit] == ip]


def at_work_on(ip, said):
    """Return the units that a node has begun and not finished."""
    begun = {unit for unit, place in places(said).items() if place == ip}
    return begun - set(finished_on(ip, said))


def assert_begun_again(said, num_units):
    begun = Counter(re.findall(r"^(\S+/fold-\S+): begins on", said, re.MULTILINE))
    assert len(begun) == num_units
    assert sum(begun.values()) > num_units
    assert "it is done again" in said


def ser(folder, *words, output=None):
    """Begin a command in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", "from ser.cli.app import main; main()", *words],
        cwd=folder,
        env=ray_nodes.environment(folder),
        stdout=output,
        stderr=output,
    )


def recorded(folder):
    """Return all runs of a project's own store."""
    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    keys = Counter(run.data.tags["ser.run_key"] for run in runs)
    assert set(keys.values()) == {1}
    assert {run.info.status for run in runs} == {"FINISHED"}
    return list(runs)


def is_search(run):
    """Whether a run is a study or a trial of one."""
    return "trial" in run.info.run_name or run.info.run_name.count("/") == 1
