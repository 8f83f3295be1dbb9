"""What the grid runs, and what it says before it does."""

import socket
import sys

import pytest
import yaml

from ser.workflow import missing_stages
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
    return names


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], ["make_features", "tune", "find", "run 1", "make_scores"]),
        (["--only", "extract"], ["make_features"]),
        (["--only", "tune"], ["tune"]),
        (["--only", "train"], ["find", "run 1", "make_scores"]),
    ],
)
def test_a_part_alone_is_that_part(ser, called, only, expected):
    assert ser("grid", *only)[0] == 0
    assert called == expected


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "cluster 127.0.0.1:1: nobody answers there"),
        ("nowhere", "--address 'nowhere': expected HOST:PORT of the head, as head:6379"),
    ],
)
def test_an_address_that_nobody_answers_at_is_known_before_anything_is_done(
    ser, called, address, said
):
    status, _, err = ser("grid", "--address", address)
    assert (status, called) == (1, [])
    assert said in err


def test_an_address_that_would_not_be_asked_is_wrong_usage(ser, called):
    status, _, err = ser("grid", "--only", "tune", "--address", "head:6379")
    assert (status, called) == (2, [])
    assert "--only tune trains none" in err


def test_where_no_fold_is_missing_the_cluster_is_said_to_have_nothing_to_do(
    ser, called, monkeypatch
):
    monkeypatch.setattr(missing_stages, "find", lambda *_: [])
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        status, out, err = ser("grid", "--only", "train", "--address", address)
    assert status == 0, err
    assert f"no fold is missing; nothing is asked of the cluster {address}" in out


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
