from dataclasses import dataclass
from pathlib import Path

import pytest

from ser.contracts import UnitOutcome
from ser.errors import FileError, PipelineError
from ser.workflow import units


@dataclass(frozen=True)
class Unit:
    name: str
    folder: Path = Path("nowhere")


UNITS = [Unit("a"), Unit("b"), Unit("c"), Unit("d")]


class Engine:
    def run(self, work, units):
        for unit in units:
            work(unit)
            yield UnitOutcome(unit, "it diverged" if unit.name in "bc" else None)


def test_what_fails_there_or_here_is_a_failure_of_its_stage_and_the_others_go_on(caplog):
    done, taken = [], []

    def take(unit):
        if unit.name == "d":
            raise FileError("it is not whole")
        taken.append(unit.name)

    stage_of = dict(zip(UNITS, ["one", "one", "one", "two"], strict=True))
    with caplog.at_level("INFO"):
        failures = units.run(
            lambda unit: done.append(unit.name), stage_of, Engine(), kind="shard", then=take
        )
    assert (done, taken) == (["a", "b", "c", "d"], ["a"])
    assert failures == {"one": "b: it diverged; c: it diverged", "two": "d: it is not whole"}
    assert [record.message for record in caplog.records] == [
        *("shard 1 of 4: a done", "shard 2 of 4: b failed"),
        *("shard 3 of 4: c failed", "shard 4 of 4: d failed"),
    ]


def test_where_all_are_wanted_every_failure_is_said_at_once():
    units.require_all({})
    with pytest.raises(PipelineError, match=r"one: b: bad; two: d: worse; what was done is kept"):
        units.require_all({"one": "b: bad", "two": "d: worse"})
