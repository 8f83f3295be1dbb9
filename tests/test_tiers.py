"""The tiers hold what they promise, whoever writes the next test."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import tiers
from tests.engine import ray_nodes
from tests.servers import processes
from tests.serving import browser

ROOT = Path(__file__).parents[1]


class Item:
    """What the rules look at in a test."""

    def __init__(self, nodeid, *fixturenames, marks=()):
        self.nodeid, self.fixturenames = nodeid, fixturenames
        self.marks = list(marks)

    def add_marker(self, mark):
        self.marks.append(mark.name)

    def get_closest_marker(self, name):
        return name if name in self.marks else None


@pytest.mark.parametrize("fixture", sorted(tiers.STAGE_FIXTURES))
def test_whoever_asks_for_whole_stages_is_marked(fixture):
    asking, other = Item("a.py::test", "tmp_path", fixture), Item("b.py::test", "tmp_path")
    tiers.mark([asking, other, SimpleNamespace(nodeid="doctest", get_closest_marker={}.get)])
    is_system = fixture in tiers.SYSTEM_FIXTURES
    assert asking.marks == (["system", "stage"] if is_system else ["stage"])
    assert other.marks == []


def test_what_is_marked_system_is_no_quick_test():
    item = Item("a.py::test", marks=["system"])
    tiers.mark([item])
    assert item.marks == ["system", "stage"]


@pytest.mark.parametrize(
    ("mark", "fixtures"), [("stage", tiers.STAGE_FIXTURES), ("system", tiers.SYSTEM_FIXTURES)]
)
def test_no_test_of_this_session_asks_for_such_a_fixture_without_the_mark(request, mark, fixtures):
    unmarked = [
        item.nodeid
        for item in request.session.items
        if fixtures.intersection(getattr(item, "fixturenames", ()))
        and item.get_closest_marker(mark) is None
    ]
    assert unmarked == []


def test_a_test_that_reaches_whole_stages_on_another_way_fails_by_name():
    with pytest.raises(pytest.fail.Exception, match=r"a\.py::test runs whole stages.*`stage`"):
        tiers.require_stage(Item("a.py::test"))
    tiers.require_stage(Item("a.py::test", marks=["stage"]))


def test_a_server_that_a_test_starts_on_any_way_asks_for_the_mark():
    starters = tiers.Starters()
    starters.require_system("a server")  # nobody's test
    starters.begin(Item("a.py::test", marks=["stage"]))
    with pytest.raises(pytest.fail.Exception, match=r"a\.py::test starts a server.*`system`"):
        starters.require_system("a server")
    starters.begin(Item("b.py::test", marks=["system"]))
    starters.require_system("a server")


def start_a_server(folder):
    with processes.running(["true"], folder, lambda: True):
        pass


def start_a_node(folder):
    ray_nodes.RayNode(folder, "127.0.0.1", folder)


def start_a_browser(_):
    with browser.started():
        pass


@pytest.mark.parametrize("start", [start_a_server, start_a_node, start_a_browser])
def test_what_starts_servers_nodes_and_browsers_refuses_a_test_without_the_mark(start, tmp_path):
    with pytest.raises(pytest.fail.Exception, match=r"starts a \w+: give it the mark `system`"):
        start(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_trained_project_refuses_a_test_without_the_mark(request):
    with pytest.raises(pytest.fail.Exception, match="give it the mark"):
        request.getfixturevalue("trained")


def test_files_stay_together_the_longest_first_and_then_those_with_whole_stages():
    first, second = tiers.LONGEST[:2]
    names = ["x::a", f"{second}::b", "w::c", "y::a", f"{first}::d", f"{second}::a", "y::b", "x::b"]
    items = [Item(name, marks=["stage"] if name == "y::b" else []) for name in names]
    found = [item.nodeid for item in tiers.in_order(items)]
    expected = [f"{first}::d", f"{second}::b", f"{second}::a", "y::a", "y::b", "x::a", "w::c"]
    assert found == [*expected, "x::b"]


def test_files_with_servers_share_a_worker_and_others_have_their_own():
    with_servers = [f"{name}::test" for name in sorted(tiers.WITH_SERVERS)]
    assert {tiers.scope_of(nodeid) for nodeid in with_servers} == {"servers"}
    with_forks = [f"{name}::test" for name in sorted(tiers.WITH_FORKS)]
    assert {tiers.scope_of(nodeid) for nodeid in with_forks} == {"forks"}
    assert tiers.scope_of("tests/test_tiers.py::test_a[b::c]") == "tests/test_tiers.py"


@pytest.mark.parametrize(
    ("fixtures", "listed"),
    [(tiers.SERVER_FIXTURES, tiers.WITH_SERVERS), ({"forking"}, tiers.WITH_FORKS)],
    ids=["servers", "forks"],
)
def test_the_files_of_this_session_with_either_are_listed(request, fixtures, listed):
    """Files on systems may import the packages anew: what they do then takes far longer."""
    asking = {
        tiers.file_of(item)
        for item in request.session.items
        if fixtures.intersection(getattr(item, "fixturenames", ()))
        and (fixtures is tiers.SERVER_FIXTURES or not item.get_closest_marker("system"))
    }
    assert asking <= listed


def test_the_longest_files_are_there():
    assert [
        name
        for name in (*tiers.LONGEST, *tiers.WITH_SERVERS, *tiers.WITH_FORKS)
        if not (ROOT / name).is_file()
    ] == []


def test_the_fixtures_of_the_rule_are_there():
    """A fixture that was renamed would leave its tests without the mark."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))
    )
    assert [name for name in tiers.STAGE_FIXTURES if f"def {name}(" not in text] == []
