"""Units on a real node of Ray, on this machine."""

import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
from ray.exceptions import TaskUnschedulableError

from ser.engine import cluster, ray_engine
from ser.engine.ray_engine import RayEngine
from ser.errors import EngineError, NodeError, ParamsError
from tests.engine import ray_nodes
from tests.engine.ray_nodes import TOKEN, RayNode

pytestmark = [
    pytest.mark.stage,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),  # Ray's
]


def do(deaths, unit):
    """Be a unit of each kind; this runs on the node."""
    if unit == "wrong":
        raise ParamsError("params.yaml: there is no such cell")
    if unit == "refused":
        raise NodeError("data.manifest is 1 there and 2 here")
    with deaths.open("a") as log:
        log.write(f"{unit}\n")
    Path(f"{unit}.remains").touch()
    if unit == "killed" or (unit == "killed once" and deaths.read_text().count(unit) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    folder = Path("left") / unit
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "facts").write_text(unit)


@pytest.fixture(scope="module")
def node(tmp_path_factory, project):
    folder = tmp_path_factory.mktemp("node")
    (folder / "params.yaml").touch()
    (folder / "ser").symlink_to(project / "ser")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ray") as short:
        own = {"PYTHONPATH": str(project)}
        node = RayNode(folder, "127.0.0.1", Path(short), num_cpus=2, changes=own)
        with ray_nodes.killing(node):
            yield node


@pytest.fixture
def joined(node, tmp_path, monkeypatch):
    """The cluster, with a token, from a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with cluster.connected(node.address):
        yield


ONE_CPU = cluster.Share()


def engine(tmp_path, share=ONE_CPU):
    return RayEngine(
        tmp_path,
        folder_of=lambda unit: Path("left") / unit,
        remains_of=lambda unit: [Path(f"{unit}.remains")],
        name_of=lambda unit: unit,
        logs=tmp_path / "logs",
        share=share,
    )


def unschedulable():
    raise TaskUnschedulableError("the node is dead")
    yield


def test_a_unit_that_could_not_begin_on_a_dead_node_has_not_died(tmp_path, monkeypatch):
    lost = []
    made = engine(tmp_path)
    monkeypatch.setattr(made.nodes, "lose", lost.append)
    task = ray_engine._Task("one", num_deaths=2)
    task.node, task.stream = "id", unschedulable()
    again = made._follow(task)
    assert (again.unit, again.num_deaths, lost) == ("one", 2, ["id"])


def test_units_come_back_and_what_dies_is_done_again(joined, node, tmp_path, caplog):
    units = ["a", "killed once", "wrong", "killed", "b"]
    deaths = tmp_path / "deaths"
    found = engine(tmp_path).run(partial(do, deaths), units)
    errors = {outcome.unit: outcome.error for outcome in found}
    assert {unit for unit, error in errors.items() if error is None} == {"a", "b", "killed once"}
    assert errors["wrong"].startswith("params.yaml: there is no such cell (")
    assert "3 times in all" in errors["killed"]
    for unit in ("a", "b", "killed once"):
        assert (tmp_path / "left" / unit / "facts").read_text() == unit
    assert not (tmp_path / "left" / "killed").exists()
    counts = {unit: deaths.read_text().splitlines().count(unit) for unit in units}
    assert counts == {"a": 1, "b": 1, "wrong": 0, "killed once": 2, "killed": 3}
    assert "killed once on" in caplog.text
    assert (tmp_path / "logs" / "a.log").is_file()
    assert not list((node.folder / "left").iterdir())
    # That of a unit which is not done is for its next try.
    assert [path.name for path in node.folder.glob("*.remains")] == ["killed.remains"]
    assert not list((tmp_path / "work").iterdir())


def test_a_node_keeps_a_folder_until_it_has_been_taken(joined, node, tmp_path):
    found = engine(tmp_path).run(partial(do, tmp_path / "deaths"), ["kept"])
    next(found)
    found.close()  # as an interrupt does, while what has come is not put in place
    assert (node.folder / "left" / "kept").is_dir()
    list(engine(tmp_path).run(partial(do, tmp_path / "deaths"), ["kept"]))
    assert not (node.folder / "left" / "kept").exists()
    assert (tmp_path / "left" / "kept" / "facts").read_text() == "kept"


def test_what_a_node_leaves_in_the_project_of_whoever_asks_stays(joined, node, tmp_path):
    list(engine(node.folder).run(partial(do, tmp_path / "deaths"), ["ours"]))
    assert (node.folder / "left" / "ours" / "facts").read_text() == "ours"


def test_a_node_that_refuses_gets_no_more_units_and_why_is_said(joined, tmp_path):
    with pytest.raises(EngineError, match=r"no node .* refused: data.manifest is 1 there"):
        list(engine(tmp_path).run(partial(do, tmp_path / "deaths"), ["refused", "refused"]))
    assert not (tmp_path / "left").exists()


def test_more_than_a_node_has_is_refused_at_once(joined, tmp_path):
    wants = cluster.Share(num_cpus=1, num_gpus=1)
    with pytest.raises(EngineError, match="less than 1 CPU and 1 GPU"):
        list(engine(tmp_path, wants).run(partial(do, tmp_path / "deaths"), ["a"]))


@pytest.mark.parametrize(
    ("token", "said"),
    [(None, "does not take this machine's token, or there is none"), ("f" * 64, "auth_token")],
)
def test_whoever_has_no_token_or_another_one_is_not_let_in(node, tmp_path, token, said):
    program = (
        "from ser.engine import cluster; from ser.runtime import run_main\n"
        f"def join():\n with cluster.connected({node.address!r}): pass\n"
        "raise SystemExit(run_main(join))"
    )
    environment = ray_nodes.environment(tmp_path, token)
    path = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "RAY_AUTH_MODE": "", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
