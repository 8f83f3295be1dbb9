"""Features and grid on two nodes, one of which is killed: the same bytes as on one machine."""

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
from ser.workflow import dvc_runs, missing_stages
from tests.engine import ray_nodes
from tests.engine.ray_nodes import RayNode
from tests.recordings import write_corpus

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


@pytest.fixture
def short():
    """A folder whose sockets have short paths."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ray") as name:
        yield Path(name)


def test_a_killed_node_changes_no_byte(folders, short, monkeypatch):
    # In a process of its own, as on a node: what other tests have set in this one changes bits.
    assert ser(folders["alone"], "grid", "--jobs", "1").wait() == 0
    head = RayNode(folders["first"], IPS[0], short)
    with ray_nodes.killing(head):
        second = RayNode(folders["second"], IPS[1], short, head.address)
        with ray_nodes.killing(second):
            look_at_both(folders, head.address)
            said = drive(folders["driver"], head.address, second)
    assert "shard 1 of 1: extract/mfcc/shard-0 done" in said
    # Every fold came to its end, and one was begun again for the node that died with it.
    assert f"fold {NUM_UNITS} of {NUM_UNITS}" in said
    begun = Counter(re.findall(r"^(\S+/fold-\S+): begins on", said, re.MULTILINE))
    assert len(begun) == NUM_UNITS
    assert sum(begun.values()) > NUM_UNITS
    assert "it is done again" in said
    assert finished_by(folders["second"])
    assert finished_by(folders["first"])
    monkeypatch.chdir(folders["driver"])
    assert not dvc_runs.repro(Path(), *CELLS)
    assert Path("dvc.lock").read_bytes() == (folders["alone"] / "dvc.lock").read_bytes()
    assert_tracked_once(folders["driver"])
    for name in ("first", "second"):
        assert not (folders[name] / "mlruns" / "mlflow.db").exists()  # one writer


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


def drive(folder, address, victim):
    """Run the grid; kill a node once it has finished a unit and is at another one."""
    with (folder / "grid.log").open("w") as log:
        driver = ser(folder, "grid", "--address", address, output=log)
    try:
        end = time.monotonic() + 400
        while driver.poll() is None and time.monotonic() < end:
            if finished_by(victim.folder):
                victim.kill()
            time.sleep(0.02)
    finally:
        driver.kill()
    said = (folder / "grid.log").read_text()
    assert driver.wait() == 0, said
    return said


def ser(folder, *words, output=None):
    """Begin a command in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", "from ser.cli.app import main; main()", *words],
        cwd=folder,
        env=ray_nodes.environment(folder),
        stdout=output,
        stderr=output,
    )


def finished_by(folder):
    """Keys of the folds that a node has finished."""
    kept = folder / "work" / "folds"
    return [one.name for one in kept.glob("*") if not one.name.startswith(".")]


def assert_tracked_once(folder):
    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments)
    keys = Counter(run.data.tags["ser.run_key"] for run in runs)
    assert set(keys.values()) == {1}
    assert len(keys) == NUM_UNITS + len(CELLS)
    assert {run.info.status for run in runs} == {"FINISHED"}
