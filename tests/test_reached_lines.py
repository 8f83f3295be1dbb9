"""Lines that note themselves are those that a tracer sees, and the code does what it did."""

import importlib
import sys
from pathlib import Path

import pytest
from coverage import CoverageData
from coverage.parser import PythonParser

from tests import reached_lines

#: Every kind of statement, some of which are never reached.
SOURCE = '''\
"""A module."""

from __future__ import annotations
from __future__ import division

import contextlib
from dataclasses import (
    dataclass,
    field,
)


def twice(function):
    """Say a name twice."""
    return lambda *given: (
        function(*given),
        function(*given),
    )


@dataclass
class Pair:
    """Two numbers."""

    first: int
    second: list[int] = field(
        default_factory=list,
    )

    @property
    @contextlib.contextmanager
    def open(self):
        try:
            yield self.first
        finally:
            self.first += 1


@twice
@twice
def named(value):
    global LAST
    LAST = value
    if value == 1:
        return "one"
    elif value == 2:
        return "two"
    else:
        unreached = "many"
    return unreached


def kind(value):
    match value:
        case int():
            return "number"
        case [first, *_] if first:
            return "list"
        case _:
            return "other"


def failing():
    for number in range(3):
        while number:
            number -= 1
            if number:
                continue
            break
        else:
            pass
    else:
        number = None
    try:
        raise ValueError("told")
    except KeyError:
        return "never"
    except (ValueError, TypeError) as error:
        with contextlib.suppress(ZeroDivisionError), contextlib.nullcontext():
            print(1 / 0)
        return str(error), number
    finally:
        del number


async def waited():
    async with unknown:
        pass


def generated():
    """Nothing else."""


def after():
    yield from [
        item
        for item in (1, 2)
    ]; assert True
    return
    print("never")


with Pair(1).open as OPENED:
    pass
RESULTS = [named(1), kind(3), kind(""), failing(), list(after()), generated()]
if RESULTS: SHORT = 1
else: SHORT = 2
'''


def statements(file):
    parser = PythonParser(filename=str(file))
    parser.parse_source()
    return parser


def traced(file):
    """Lines that Python's own tracing tells of, as coverage.py takes them."""
    seen = set()

    def trace(frame, event, _):
        if frame.f_code.co_filename != str(file):
            return None
        if event == "line":
            seen.add(frame.f_lineno)
        return trace

    code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    content, before = {"__name__": "traced"}, sys.gettrace()
    sys.modules["traced"] = type(sys)("traced")  # dataclasses look there
    sys.settrace(trace)
    try:
        exec(code, content)  # noqa: S102
    finally:
        sys.settrace(before)
        del sys.modules["traced"]
    return seen, content


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A project of its own, with a package whose modules are marked."""
    (tmp_path / "marked").mkdir()
    (tmp_path / "marked" / "__init__.py").write_text("")
    monkeypatch.setattr(reached_lines, "ROOT", tmp_path)
    monkeypatch.setattr(reached_lines, "PACKAGE", "marked")
    monkeypatch.setattr(reached_lines, "reached", {})
    monkeypatch.setattr(sys, "meta_path", [reached_lines.Finder(), *sys.meta_path])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield tmp_path / "marked"
    for name in [name for name in sys.modules if name.partition(".")[0] == "marked"]:
        del sys.modules[name]


def noted(folder):
    """File -> lines, of the data that were written."""
    (file,) = folder.parent.glob(".coverage.*")
    data = CoverageData(basename=str(file))
    data.read()
    return {Path(path).name: set(data.lines(path)) for path in data.measured_files()}


def test_the_lines_are_those_that_a_tracer_sees(package):
    file = package / "everything.py"
    file.write_text(SOURCE)
    seen, content = traced(file)
    module = importlib.import_module("marked.everything")
    reached_lines.pytest_sessionfinish()
    parser = statements(file)
    expected = parser.first_lines(seen) & parser.statements
    # A tracer also stops at an `except` or `case` that is asked and does not apply.
    asked = {number for number in expected if "KeyError" in SOURCE.splitlines()[number - 1]}
    asked |= {number for number in expected if "case [first" in SOURCE.splitlines()[number - 1]}
    assert len(asked) == 2
    found = parser.first_lines(noted(package)["everything.py"]) & parser.statements
    assert found == expected - asked
    assert content["RESULTS"] == module.RESULTS
    assert module.RESULTS[0] == (("one", "one"), ("one", "one"))


def test_what_a_module_says_of_itself_stays(package):
    (package / "everything.py").write_text(SOURCE)
    module = importlib.import_module("marked.everything")
    assert module.__doc__ == "A module."
    assert module.Pair.__doc__ == "Two numbers."
    assert module.generated.__doc__ == "Nothing else."
    assert module.kind.__code__.co_firstlineno == 1 + SOURCE.splitlines().index("def kind(value):")
    assert module.__annotations__ == {}
    with pytest.raises(NameError) as refused:
        module.waited().send(None)
    assert refused.traceback[-1].lineno == SOURCE.splitlines().index("    async with unknown:")


def test_marks_are_never_cached_beside_the_file(package):
    (package / "marking.py").write_text("A = 1\n")
    importlib.import_module("marked.marking")
    assert not (package / "__pycache__").exists()


def test_a_module_that_is_loaded_twice_goes_on_with_its_lines(package):
    (package / "again.py").write_text("import os\nif 'AGAIN' in os.environ:\n    A = 1\n")
    module = importlib.import_module("marked.again")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGAIN", "yes")
        importlib.reload(module)
    importlib.reload(module)
    reached_lines.pytest_sessionfinish()
    assert noted(package)["again.py"] == {1, 2, 3}


def test_a_module_that_nothing_imports_counts_as_not_reached(package):
    (package / "forgotten.py").write_text("A = 1\n")
    importlib.import_module("marked")
    reached_lines.pytest_sessionfinish()
    assert noted(package) == {"__init__.py": set(), "forgotten.py": set()}


def test_other_packages_and_other_copies_are_loaded_as_they_are(package, tmp_path, monkeypatch):
    finder = reached_lines.Finder()
    assert finder.find_spec("json", None) is None
    monkeypatch.setattr(reached_lines, "ROOT", tmp_path / "elsewhere")
    assert finder.find_spec("marked", None) is None


def test_what_was_imported_too_early_is_said_by_name(monkeypatch):
    monkeypatch.setattr(reached_lines, "PACKAGE", "early")
    reached_lines.pytest_sessionstart()
    monkeypatch.setitem(sys.modules, "early.bird", type(sys)("early.bird"))
    with pytest.raises(RuntimeError, match=r"early\.bird were imported before .*pytest -p"):
        reached_lines.pytest_sessionstart()
