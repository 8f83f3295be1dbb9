"""The campaign of kills: what it counts as a fault, and a short one on the cheapest stages."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sqlalchemy

from benchmarks.kills import campaign
from benchmarks.kills.campaign import Outcome
from benchmarks.kills.interruption import FULL, KINDS, NOTE, Interruption
from benchmarks.kills.project import Records

ROOT = Path(__file__).parents[2]


def write_three():
    """A program with five file operations below its folder, and some elsewhere."""
    Path("a").mkdir(exist_ok=True)
    for name in ("one", "two", "three"):
        Path("a", name).write_text(name)
    Path("a", "one").rename("moved")
    Path(os.devnull).open("w").close()
    with tempfile.TemporaryDirectory() as elsewhere:
        shutil.copytree("a", Path(elsewhere, "a"))  # removed by its name in an open folder
    return 0


def commit_rows():
    """A program that opens a database, makes a table, and commits two changes; it also reads."""
    engine = sqlalchemy.create_engine("sqlite:///rows.db")
    for change in ("create table rows (x)", "insert into rows values (1)", "delete from rows"):
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(change))
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("select * from rows"))
    return 0


WHOLE = ["a", "a/three", "a/two", "moved"]

#: Program and interruption -> exit status, what is there afterwards, and the count.
CASES = {
    (write_three, None): (0, WHOLE, 5),
    (write_three, Interruption("SIGKILL", 1)): (-9, [], 0),
    (write_three, Interruption("SIGKILL", 4)): (-9, ["a", "a/one", "a/two"], 0),
    (write_three, Interruption("SIGINT", 3)): (1, ["a", "a/one"], 3),
    (write_three, Interruption(FULL, 3)): (1, ["a", "a/one"], 3),
    (write_three, Interruption("SIGTERM", 6)): (0, WHOLE, 5),
    (commit_rows, None): (0, [], 3),
    (commit_rows, Interruption("SIGKILL", 1)): (-9, None, 0),
    (commit_rows, Interruption("SIGKILL", 2)): (-9, [], 0),
    (commit_rows, Interruption("SIGKILL", 3)): (-9, [1], 0),
    (commit_rows, Interruption(FULL, 3)): (1, [1], 3),
}

#: In a process of its own: a fork of the one that runs the tests has its threads' locks.
CODE = """
import json, sys
from pathlib import Path
from benchmarks.kills import children
from tests.benchmarks.test_kills import CASES
for number, (program, interruption) in enumerate(CASES):
    root = Path(sys.argv[1], str(number))
    root.mkdir()
    place = children.Place(root, {}, Path(sys.executable))
    ended = children.run(program, place, interruption)
    print(json.dumps([ended.status, ended.num_operations, ended.output]))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Case -> its folder, exit status, count and output."""
    folder = tmp_path_factory.mktemp("interrupted")
    command = [sys.executable, "-c", CODE, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {case: (folder / str(n), *lines[n]) for n, case in enumerate(CASES)}


@pytest.mark.parametrize("case", CASES)
def test_a_process_is_interrupted_before_the_operation_of_that_number(ended, case):
    root, status, count, said = ended[case]
    status_expected, expected, count_expected = CASES[case]
    left = rows_of(root) if case[0] is commit_rows else files_of(root)
    assert (status, left) == (status_expected, expected)
    assert (NOTE in said) == (case[1] is not None and status_expected != 0)
    if case[1] is None or NOTE not in said:
        assert count == count_expected


def files_of(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def rows_of(root):
    database = root / "rows.db"
    if not database.exists():
        return None
    with closing(sqlite3.connect(database)) as connection:
        return [x for (x,) in connection.execute("select x from rows")]


RECORDS = Records({("ser/demo/session", "k", "lstm-focal"): 1}, {"FINISHED": 1}, (), {}, {})
GOOD = Outcome({"data/splits.csv": "aa"}, RECORDS, ("warn git: none",))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digests": {"data/splits.csv": "bb"}}, "1 files differ: data/splits.csv"),
        ({"digests": {}}, "1 files differ: data/splits.csv"),
        ({"findings": ("warn git: none", "warn leftovers: 1")}, "ser doctor: warn leftovers: 1"),
        ({"records": replace(RECORDS, runs={("e", "k", "n"): 2})}, "runs differ: "),
        ({"records": replace(RECORDS, statuses={"RUNNING": 1})}, "RUNNING: 1 and not None"),
        ({"records": replace(RECORDS, versions=(("m", 1),))}, "versions differ: "),
        ({"records": replace(RECORDS, aliases={"champion": 1})}, "champion: 1 and not None"),
        ({"records": replace(RECORDS, tags={("m", 1, "k"): "v"})}, "'k'): v and not None"),
    ],
)
def test_what_differs_is_a_fault(changes, said):
    fields = {"digests": GOOD.digests, "records": GOOD.records, "findings": GOOD.findings}
    assert list(campaign._differences(GOOD, GOOD)) == []
    assert said in "; ".join(campaign._differences(GOOD, Outcome(**fields | changes)))


def test_every_kind_and_every_command_is_drawn_and_a_seed_draws_the_same():
    commands = [SimpleNamespace(num_operations=5), SimpleNamespace(num_operations=50)]

    def drawn():
        return campaign.draw(commands, 80, np.random.default_rng(1), in_a_row=3)

    assert {one.kind for _, row in drawn() for one in row} == set(KINDS)
    assert all(1 <= one.at <= reference.num_operations for reference, row in drawn() for one in row)
    assert [len(row) for _, row in drawn()] == [3] * 26 + [2]
    assert [reference for reference, _ in drawn()[:4]] == [*commands, *commands]
    assert drawn() == drawn()


@pytest.mark.stage
def test_kills_of_the_cheapest_stages_leave_nothing_wrong(python, project, tmp_path):
    words = ["-m", "benchmarks.kills", "--kills", "9", "--folder", str(tmp_path)]
    words += ["--python", str(python.executable), "--only", "code", "prepare", "split"]
    command = [python.executable, *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert (done.returncode, "in 3 trials, 0 of them with faults" in done.stdout) == (
        0,
        True,
    ), done.stdout[-3000:] + done.stderr[-3000:]
    assert list(tmp_path.iterdir()) == []
