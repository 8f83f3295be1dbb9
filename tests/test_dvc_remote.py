"""DVC's cache on S3: whoever clones the repository has the results, and nothing to train."""

import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from benchmarks import tiny
from ser.tracking import store
from tests.recordings import PARAMS, write_corpus
from tests.tracking.support import copy_database

pytestmark = pytest.mark.stage

#: What the whole pipeline needs beside what one cell does.
MORE = """
launcher: python -m
synthetic_corpora: []
synthetic_weights: {}
extracted: {mfcc: {weights: none}}
baselines: {feature: mfcc}
tuning: {cells: {}}
robustness: {without_copies: {}}
cross_corpus: {corpora: {}, cells: {}}
"""
_SER = "import sys; from ser.cli.app import main; sys.argv[0] = 'ser'; main()"


@pytest.fixture
def at(tmp_path, python, team):
    """A checkout's commands, by its folder."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TR", "DVC_"))}
    outside |= team.s3.env
    outside |= {
        "PATH": os.pathsep.join([str(python.executable.parent), os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "true",
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path),
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site-cache"),
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "nobody"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "nobody@nowhere"),
    }

    def run(folder, *command):
        done = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def checkout(folder):
        def start(*words):
            return run(folder, str(python.executable), *words)

        return SimpleNamespace(
            folder=folder,
            git=lambda *words: run(folder, "git", *words),
            dvc=lambda *words: start("-m", "dvc", *words),
            ser=lambda *words: start("-c", _SER, *words),
        )

    return checkout


@pytest.fixture
def recordings(tmp_path):
    """What every member of the team has on the own disk, and no repository has."""
    write_corpus(tmp_path / "recordings")
    return tmp_path / "recordings"


def run_keys(folder, copy):
    """Keys of the runs of cells that a checkout's store has."""
    copy_database(folder / "mlruns" / "mlflow.db", copy)
    client = store.connect(f"sqlite:///{copy}")
    experiment = client.get_experiment_by_name("ser/calls/session")
    runs = client.search_runs([experiment.experiment_id])
    return sorted(run.data.tags["ser.run_key"] for run in runs)


def test_a_clone_pulls_what_another_pushed_and_trains_nothing(
    at, recordings, project, team, tmp_path, template_database
):
    here = at(tmp_path / "here")
    tiny.copy_code(project, here.folder)
    copy_database(template_database, here.folder / "mlruns" / "mlflow.db")
    shutil.copy(project / ".gitignore", here.folder)
    named = PARAMS.replace("name: csv", "name: calls, parser: csv")
    (here.folder / "params.yaml").write_text(named + MORE)
    here.git("init", "-q")
    here.dvc("init", "-q")
    link(recordings, here.folder)
    here.dvc("remote", "add", "--default", "team", f"{team.s3.create('dvc-cache')}/cache")
    here.ser("repro")
    here.dvc("push")
    here.git("add", "--all")
    here.git("commit", "-qm", "The grid")

    here.git("clone", "-q", str(here.folder), str(tmp_path / "there"))
    there = at(tmp_path / "there")
    link(recordings, there.folder)
    there.dvc("pull")
    said = there.ser("repro")
    assert "Data and pipelines are up to date." in said
    assert "begins" not in said
    assert "lstm-cross_entropy" in said
    # dvc.lock, which has the digest of everything that the stages make, is the one committed.
    assert not there.git("status", "--porcelain")
    keys = run_keys(there.folder, tmp_path / "there.db")
    assert keys == run_keys(here.folder, tmp_path / "here.db")
    assert len(keys) == len(set(keys)) == 4  # the cell's own run and its three folds
    # Recordings are nobody's to pass on: neither git nor DVC has taken one along.
    assert not there.git("ls-files", "*.wav")
    assert not [path for path in there.folder.rglob("*.wav") if "calls" not in path.parts]
    assert (there.folder / "data" / "raw" / "calls").samefile(recordings)


def link(recordings, folder):
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "calls").symlink_to(recordings)
