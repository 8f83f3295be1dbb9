import pytest

from ser.contracts import UnitOutcome
from ser.errors import ParamsError, TrackingError
from ser.grid import fold_units
from ser.grid.fold_units import FoldUnit
from ser.workflow import missing_folds
from ser.workflow.missing_stages import Missing

STAGES = [
    Missing("train@lstm-aam", ""),
    Missing("untuned@lstm-ccc", ""),
    Missing("train@bad-x", ""),
]


@pytest.fixture(autouse=True)
def two_folds_each(monkeypatch):
    def missing(cell, variant):
        if cell == "bad-x":
            raise ParamsError("losses.x: there is no such loss")
        for fold in (1, 2):
            yield FoldUnit(cell, variant, fold, 0, f"{cell}{fold}", {})

    monkeypatch.setattr(fold_units, "missing", missing)


class Engine:
    def __init__(self, failing=()):
        self.failing, self.units = failing, []

    def run(self, work, units):
        assert work.func is fold_units.train
        self.server = work.keywords["server"]
        self.units = units
        for unit in units:
            yield UnitOutcome(unit, "diverged" if unit.name in self.failing else None)


def test_folds_of_all_cells_are_one_list_and_a_wrong_cell_keeps_none_back(caplog):
    engine = Engine()
    with caplog.at_level("INFO"):
        failures = missing_folds.train(STAGES, engine)
    assert [unit.name for unit in engine.units] == [
        *("lstm-aam/fold-1/seed-0", "lstm-aam/fold-2/seed-0"),
        *("untuned/lstm-ccc/fold-1/seed-0", "untuned/lstm-ccc/fold-2/seed-0"),
    ]
    assert failures == {"train@bad-x": "losses.x: there is no such loss"}
    assert "fold 4 of 4: untuned/lstm-ccc/fold-2/seed-0 done" in caplog.text


def test_a_cell_that_lacks_folds_is_named_with_each_of_them():
    failing = ("lstm-aam/fold-1/seed-0", "lstm-aam/fold-2/seed-0")
    failures = missing_folds.train(STAGES[:2], Engine(failing))
    assert failures == {
        "train@lstm-aam": "lstm-aam/fold-1/seed-0: diverged; lstm-aam/fold-2/seed-0: diverged"
    }


def test_cells_are_announced_to_a_tracking_server_before_nodes_nest_their_runs(monkeypatch):
    announced, engine = [], Engine()

    def announce(cell, variant, server):
        if cell == "lstm-ccc":
            raise TrackingError("no answer")
        announced.append((cell, variant, server))

    monkeypatch.setattr(fold_units, "announce", announce)
    failures = missing_folds.train(STAGES[:2], engine, "http://tracker")
    assert announced == [("lstm-aam", "", "http://tracker")]
    assert engine.server == "http://tracker"
    assert failures == {"untuned@lstm-ccc": "no answer"}
    assert {unit.cell for unit in engine.units} == {"lstm-aam"}
