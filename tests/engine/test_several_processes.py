"""A cell trained by two processes: killed amid a fit, and gone on with on two machines."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from pipelines import extract, prepare, split
from ser.engine import launching
from ser.errors import RankError
from ser.project import Project
from tests.engine import rank_program
from tests.recordings import write_corpus
from tests.trained_project import enter

pytestmark = pytest.mark.system

CELL = "lstm-cross_entropy"
PARAMS = """
launcher: {launcher}
synthetic_corpora: []
synthetic_weights: {{}}
corpus: {{name: csv, synthetic: true, max_rejected: 0}}
split: {{protocol: session}}
audio: {{sampling_rate: 16000}}
features: {{mfcc: {{hop_ms: 20.0}}}}
models: {{lstm: {{hidden_size: 8, num_layers: 1, embedding_dim: 8}}}}
losses: {{cross_entropy: {{}}}}
recipes: {{lstm: {{num_epochs: 5, patience: 5, batch_size: 4}}}}
training: {{seeds: [0], device: cpu, refit: true}}
extracted: {{mfcc: {{weights: none}}}}
baselines: {{feature: mfcc}}
cells:
  lstm-cross_entropy: {{model: lstm, loss: cross_entropy, feature: mfcc}}
tuning: {{cells: {{}}}}
robustness: {{without_copies: {{}}}}
cross_corpus: {{corpora: {{}}, cells: {{}}}}
"""
TWO_HERE = "torchrun --standalone --nproc-per-node 2 -m"
#: The environment says which of them is which.
TWO_MACHINES = (
    "torchrun --nnodes 2 --nproc-per-node 1 --master-addr 127.0.0.1 --master-port {port} -m"
)
#: What is given there: the stage on the first, the command on the second.
PROGRAMS = (
    (sys.executable, "-m", "pipelines.train", CELL, "--untuned"),
    (sys.executable, "-c", "from ser.cli.app import main; main()", "train", CELL),
)
LEFT = ("model.safetensors", "predictions.parquet", "history.json", "statistics.safetensors")


@pytest.fixture
def projects(tmp_path, project, monkeypatch):
    """The same project three times, up to its features: in one piece, the head, the second."""
    whole = tmp_path / "whole"
    write_corpus(whole / "data" / "raw" / "csv")
    shutil.copytree(project / "ser", whole / "ser", ignore=shutil.ignore_patterns("__pycache__"))
    enter(whole, monkeypatch)
    # The ranks find the tests there, as pytest does.
    monkeypatch.setenv("PYTHONPATH", str(project))
    (whole / "params.yaml").write_text(PARAMS.format(launcher=TWO_HERE))
    assert (prepare.main([]), split.main([]), extract.main(["mfcc"])) == (0, 0, 0)
    for name in ("head", "second"):
        shutil.copytree(whole, tmp_path / name)
    return whole, tmp_path / "head", tmp_path / "second"


@pytest.fixture
def signals():
    """A launcher in this process leaves its handlers behind."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def train_here():
    """Train the cell of the working directory by two processes of this machine."""
    return launching.start(TWO_HERE, rank_program.__name__, [CELL, "--untuned"])


def left(folder):
    """What training leaves, file by file."""
    cell = Project(folder).trained(CELL).folder
    found = {
        path.relative_to(cell).as_posix(): path.read_bytes()
        for path in sorted(cell.rglob("*"))
        if path.name in LEFT
    }
    assert len(found) == 3 * len(LEFT) + 1  # a folder for each fold, and the table of all
    return found


def train_on_two_machines(*folders):
    """Train by a process in each folder, as two machines would; return what each said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank, (folder, command) in enumerate(zip(folders, PROGRAMS, strict=True)):
        launcher = TWO_MACHINES.format(port=port)
        (folder / "params.yaml").write_text(PARAMS.format(launcher=launcher))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        environment = {**os.environ, "PET_NODE_RANK": str(rank)}
        running.append(subprocess.Popen(command, cwd=folder, env=environment, **pipes))
    try:
        return [(one.communicate(timeout=120)[0], one.returncode) for one in running]
    finally:
        for one in running:
            one.kill()


def test_a_killed_rank_ends_all_and_two_machines_go_on_from_what_one_has(
    projects, monkeypatch, signals, capfd
):
    whole, head, second = projects
    assert train_here() == 0
    monkeypatch.chdir(head)
    monkeypatch.setenv(rank_program.VICTIM, "1")
    capfd.readouterr()
    with pytest.raises(RankError) as ended:
        train_here()
    said = capfd.readouterr()
    assert "rank 1 (process " in str(ended.value)
    assert "was killed by signal 9 (SIGKILL)" in str(ended.value)
    assert "goes on from the last checkpoint" in str(ended.value)
    assert "Traceback" not in said.err + said.out
    assert "error" not in said.err + said.out
    assert list((head / "work" / "checkpoints").iterdir())
    monkeypatch.delenv(rank_program.VICTIM)
    said = train_on_two_machines(head, second)
    for text, status in said:
        assert status == 0, text
        assert "Traceback" not in text
    assert f"{CELL}: trained; its result is in the project on 127.0.0.1" in said[1][0]
    assert left(head) == left(whole)
    # Only rank 0 keeps and records.
    for name in ("trained", "folds", "mlruns"):
        assert not list(second.rglob(f"{name}/*"))
