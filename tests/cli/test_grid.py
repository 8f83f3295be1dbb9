"""What the grid runs, and what it says before it does."""

import sys

import pytest
import yaml

from ser.workflow import dvc_runs, missing_stages
from tests.fresh_process import modules_after
from tests.workflow.support import GOOD


@pytest.fixture
def called(project, monkeypatch):
    """Replace what the grid consists of; give the list of what was called."""
    (project / "params.yaml").write_text(yaml.safe_dump(GOOD))
    names = []
    for name in ("make_features", "tune", "make_scores"):
        monkeypatch.setattr(missing_stages, name, lambda *_, name=name, **__: names.append(name))

    def find(*_):
        names.append("find")
        return [missing_stages.Missing("train@lstm-cross_entropy", "")]

    def run(stages, *_):
        names.append(f"run {len(stages)}")
        return []

    monkeypatch.setattr(missing_stages, "find", find)
    monkeypatch.setattr(missing_stages, "run", run)
    monkeypatch.setattr(
        dvc_runs, "repro", lambda _, *targets: names.append(" ".join(["dvc repro", *targets]))
    )
    return names


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], ["make_features", "tune", "find", "run 1", "make_scores"]),
        (["--only", "extract"], ["make_features"]),
        (["--only", "tune"], ["dvc repro extract", "tune"]),
        (["--only", "train"], ["find", "run 1", "make_scores"]),
    ],
)
def test_a_part_alone_is_that_part(ser, called, only, expected):
    assert ser("grid", *only)[0] == 0
    assert called == expected


def test_an_address_that_nobody_answers_at_trains_nothing_here(ser, called):
    status, _, err = ser("grid", "--only", "train", "--address", "127.0.0.1:1")
    assert status == 1
    assert "cluster 127.0.0.1:1: nobody answers there" in err
    assert called == ["find"]


def test_a_launcher_of_several_processes_is_refused_on_a_cluster(ser, called, project):
    (project / "params.yaml").write_text(
        yaml.safe_dump({**GOOD, "launcher": "accelerate launch -m"})
    )
    status, _, err = ser("grid", "--address", "127.0.0.1:1")
    assert (status, called) == (1, [])
    assert "write `launcher: python -m`" in err


@pytest.mark.parametrize(
    "words",
    [("grid", "--only", "train", "--address", "head:6379"), ("doctor", "--cluster", "head:6379")],
)
def test_without_ray_the_cure_is_said(ser, called, monkeypatch, words):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("ser.cli.extras.find_spec", lambda _: None)
    status, _, err = ser(*words)
    assert status == 1
    assert "needs Ray: `.venv/bin/pip install -c constraints.txt -e '.[cluster]'`" in err


def test_nothing_of_ray_is_imported_unless_it_is_asked_for():
    program = "import ser.cli.app, ser.workflow.missing_stages, ser.grid.runners, ser.engine.local"
    assert not {name for name in modules_after(program) if name.partition(".")[0] == "ray"}
