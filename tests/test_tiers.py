"""The quick tier holds what it promises, whoever writes the next test."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import tiers

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
    tiers.mark([asking, other, SimpleNamespace(nodeid="doctest")])
    assert asking.marks == ["stage"]
    assert other.marks == []


def test_no_test_of_this_session_asks_for_whole_stages_without_the_mark(request):
    unmarked = [
        item.nodeid
        for item in request.session.items
        if tiers.STAGE_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        and item.get_closest_marker("stage") is None
    ]
    assert unmarked == []


def test_a_test_that_reaches_whole_stages_on_another_way_fails_by_name():
    with pytest.raises(pytest.fail.Exception, match=r"a\.py::test runs whole stages.*`stage`"):
        tiers.require_stage(Item("a.py::test"))
    tiers.require_stage(Item("a.py::test", marks=["stage"]))


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
    assert tiers.scope_of("tests/test_tiers.py::test_a[b::c]") == "tests/test_tiers.py"


def test_the_files_of_this_session_with_servers_are_listed(request):
    asking = {
        tiers.file_of(item)
        for item in request.session.items
        if tiers.SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    }
    assert asking <= tiers.WITH_SERVERS


def test_the_longest_files_are_there():
    assert [
        name for name in (*tiers.LONGEST, *tiers.WITH_SERVERS) if not (ROOT / name).is_file()
    ] == []


def test_the_fixtures_of_the_rule_are_there():
    """A fixture that was renamed would leave its tests without the mark."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))
    )
    assert [name for name in tiers.STAGE_FIXTURES if f"def {name}(" not in text] == []
