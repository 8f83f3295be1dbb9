"""The campaign of kills: what it counts as a fault, and a short one on the cheapest stages."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.kills import campaign
from benchmarks.kills.campaign import Outcome
from benchmarks.kills.interruption import FULL, KINDS, NOTE, Interruption
from benchmarks.kills.project import Records

ROOT = Path(__file__).parents[2]


def write_three():
    """A program with five file operations below its folder, and one elsewhere."""
    Path("a").mkdir(exist_ok=True)
    for name in ("one", "two", "three"):
        Path("a", name).write_text(name)
    Path("a", "one").rename("moved")
    Path(os.devnull).open("w").close()
    return 0


WHOLE = ["a", "a/three", "a/two", "moved"]

#: Interruption -> exit status, and what is there afterwards.
CASES = {
    None: (0, WHOLE),
    Interruption("SIGKILL", 1): (-9, []),
    Interruption("SIGKILL", 4): (-9, ["a", "a/one", "a/two"]),
    Interruption("SIGINT", 3): (1, ["a", "a/one"]),
    Interruption(FULL, 3): (1, ["a", "a/one"]),
    Interruption("SIGTERM", 6): (0, WHOLE),
}

#: In a process of its own: a fork of the one that runs the tests has its threads' locks.
CODE = """
import json, sys
from pathlib import Path
from benchmarks.kills import children
from benchmarks.kills.interruption import Interruption
from tests.benchmarks.test_kills import CASES, write_three
for number, interruption in enumerate(CASES):
    root = Path(sys.argv[1], str(number))
    root.mkdir()
    place = children.Place(root, {}, Path(sys.executable))
    ended = children.run(write_three, place, interruption)
    print(json.dumps([ended.status, ended.num_operations, ended.output]))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Interruption -> its folder, exit status, count and output."""
    folder = tmp_path_factory.mktemp("interrupted")
    command = [sys.executable, "-c", CODE, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {case: (folder / str(n), *lines[n]) for n, case in enumerate(CASES)}


@pytest.mark.parametrize("interruption", CASES)
def test_a_process_is_interrupted_before_the_operation_of_that_number(ended, interruption):
    root, status, count, said = ended[interruption]
    left = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    assert (status, left) == CASES[interruption]
    assert (NOTE in said) == (left != WHOLE)
    if left == WHOLE:
        assert count == 5


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
    drawn = campaign.draw(commands, 80, np.random.default_rng(1))
    assert {interruption.kind for _, interruption in drawn} == set(KINDS)
    assert all(1 <= i.at <= reference.num_operations for reference, i in drawn)
    assert [reference for reference, _ in drawn[:4]] == [*commands, *commands]
    assert drawn == campaign.draw(commands, 80, np.random.default_rng(1))


@pytest.mark.stage
def test_ten_kills_of_the_cheapest_stages_leave_nothing_wrong(python, project, tmp_path):
    words = ["-m", "benchmarks.kills", "--kills", "10", "--folder", str(tmp_path)]
    command = [python.executable, *words, "--only", "code", "prepare", "split"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert (done.returncode, "10 interruptions, 0 of them with faults" in done.stdout) == (
        0,
        True,
    ), done.stdout[-3000:] + done.stderr[-3000:]
    assert list(tmp_path.iterdir()) == []
