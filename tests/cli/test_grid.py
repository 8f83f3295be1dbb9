"""What the grid runs, and what it says before it does."""

import sys
from contextlib import contextmanager, nullcontext

import pytest
import yaml

from ser.cli import grid
from ser.workflow import dvc_runs, missing_folds, missing_shards, missing_stages, missing_studies
from tests.fresh_process import modules_after
from tests.workflow.support import GOOD


@pytest.fixture
def called(project, monkeypatch):
    """Replace what the grid consists of; give the list of what was called."""
    (project / "params.yaml").write_text(yaml.safe_dump(GOOD))
    names = []
    for name in ("make_sources", "make_features", "tune", "make_scores"):
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
        ([], ["make_sources", "make_features", "tune", "find", "run 1", "make_scores"]),
        (["--only", "extract"], ["make_sources", "make_features"]),
        (["--only", "tune"], ["dvc repro split extract", "tune"]),
        (["--only", "train"], ["find", "run 1", "make_scores"]),
    ],
)
def test_a_part_alone_is_that_part(ser, called, only, expected):
    assert ser("grid", *only)[0] == 0
    assert called == expected


@pytest.mark.parametrize("only", [[], *(["--only", part] for part in ("extract", "tune", "train"))])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "cluster 127.0.0.1:1: nobody answers there"),
        ("nowhere", "--address 'nowhere': expected HOST:PORT of the head, as head:6379"),
    ],
)
def test_an_address_without_a_cluster_is_said_before_anything_is_done(
    ser, called, only, address, said
):
    status, _, err = ser("grid", *only, "--address", address)
    assert (status, called) == (1, [])
    assert said in err
    assert "Traceback" not in err


_EXTRACTED = ["make_sources", "find", "extract on nodes", "make_features"]
_TRAINED = ["find", "train on nodes", "left", "run 1", "make_scores"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], [*_EXTRACTED, "find", "search on nodes", "tune", *_TRAINED]),
        (["--only", "extract"], [*_EXTRACTED, "left"]),
        (
            ["--only", "tune"],
            ["dvc repro split extract", "find", "search on nodes", "tune", "left"],
        ),
        (["--only", "train"], _TRAINED),
    ],
)
def test_a_cluster_is_joined_once_and_its_nodes_come_before_what_is_done_here(
    ser, called, only, expected, monkeypatch
):
    joined = []

    @contextmanager
    def nodes(address, share, *, with_token):
        joined.append((address, share, with_token))
        yield lambda: "engine"
        called.append("left")

    monkeypatch.setattr(grid, "_nodes", nodes)
    for module, name in ((missing_shards, "extract"), (missing_studies, "search")):
        monkeypatch.setattr(module, name, lambda *_, name=name: called.append(f"{name} on nodes"))
    monkeypatch.setattr(missing_folds, "train", lambda *_: called.append("train on nodes") or {})
    options = [*only, "--address", "head:6379", "--gpus-per-unit", "0.5"]
    assert ser("grid", *options)[0] == 0
    assert called == expected
    assert joined == [("head:6379", (1.0, 0.5), True)]


def test_where_nothing_is_missing_nobody_is_asked_for_more_than_an_answer(ser, called, monkeypatch):
    joined = []
    monkeypatch.setattr(grid, "_nodes", lambda *_, **__: joined.append("") or nullcontext())
    monkeypatch.setattr(missing_stages, "find", lambda *_: [])
    assert ser("grid", "--address", "head:6379")[0] == 0
    assert joined == [""]


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
