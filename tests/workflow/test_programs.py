import importlib
import sys
import warnings

import pytest

from ser import runtime
from ser.workflow import programs


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Writes a program of a module's name, whose body says how it ends."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(body):
        (tmp_path / "a_stage.py").write_text(f"import sys\nassert __name__ == '__main__'\n{body}\n")
        return "a_stage"

    return write


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(1)", 1),
        ("raise SystemExit('it is missing')", 1),
        ("raise SystemExit(len(sys.argv[1:]))", 2),
    ],
)
def test_a_program_ends_here_as_by_itself_and_the_command_line_is_back(program, body, status):
    before = sys.argv
    assert programs.run_here(program(body), ["lstm-aam", "--untuned"]) == status
    assert sys.argv is before


def test_a_program_that_was_imported_before_runs_without_a_warning(tmp_path, monkeypatch):
    package = tmp_path / "some_programs"
    package.mkdir()
    (package / "__init__.py").touch()
    body = "import sys\nif __name__ == '__main__': sys.exit(5)\n"
    (package / "a_stage.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    imported = importlib.import_module("some_programs.a_stage")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert programs.run_here("some_programs.a_stage", []) == 5
    assert sys.modules["some_programs.a_stage"] is imported


@pytest.mark.parametrize(
    ("status", "raised"),
    [(runtime.INTERRUPTED, KeyboardInterrupt), (runtime.TERMINATED, runtime.Terminated)],
)
def test_a_program_that_a_signal_ended_ends_whoever_runs_it_in_the_same_way(
    program, status, raised
):
    with pytest.raises(raised):
        programs.run_here(program(f"raise SystemExit({status})"), [])
