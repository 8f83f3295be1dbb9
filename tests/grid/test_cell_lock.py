import subprocess
import sys

import pytest

from ser.errors import TrainingError
from ser.grid import cell_lock

CELL = "lstm-focal"
HOLDS = """
import sys
from pathlib import Path
from ser.grid import cell_lock
with cell_lock.held(Path(sys.argv[1]), "lstm-focal"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "locks" / "trained" / f"{CELL}.lock"


def test_a_second_training_is_refused_with_who_is_at_it_until_that_one_has_ended(path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        said = rf"{CELL} is being trained already, by process {other.pid} on \S+, which began at"
        with pytest.raises(TrainingError, match=said), cell_lock.held(path, CELL):
            pytest.fail("it was not refused")
        with cell_lock.held(path.with_name("lstm-aam.lock"), "lstm-aam"):
            pass  # another cell is nobody's business
        other.kill()
    with cell_lock.held(path, CELL):
        pass  # a lock dies with its process


@pytest.mark.parametrize("note", [None, "{", '{"host": "h"}', "[]"])
def test_whose_holder_is_not_known_is_refused_all_the_same(path, note):
    with cell_lock.held(path, CELL):
        path.with_suffix(".json").unlink()
        if note is not None:
            path.with_suffix(".json").write_text(note)
        said = "being trained already, by another process; wait"
        with pytest.raises(TrainingError, match=said), cell_lock.held(path, CELL):
            pytest.fail("it was not refused")


def test_a_failure_frees_the_cell(path):
    with pytest.raises(ZeroDivisionError), cell_lock.held(path, CELL):
        raise ZeroDivisionError
    with cell_lock.held(path, CELL):
        pass
