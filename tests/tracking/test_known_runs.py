"""Many cells come back with few questions, and to the same as with many."""

from dataclasses import replace

import pytest
from mlflow import MlflowClient

from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.tracking import cells, known_runs, store
from ser.tracking.cells import CellRecord, RunRecord
from ser.tracking.mlflow_tracker import open_experiment

NAMES = ("lstm-focal", "lstm-aam")


@pytest.fixture
def folders(tmp_path):
    """Two scored cells of three runs each."""
    found = []
    for name in NAMES:
        cell = CellFolder(tmp_path / "runs" / name)
        cell.folder.mkdir(parents=True)
        runs = [
            RunRecord(RunSpec(f"{name}/{part}", f"{name}-{part}", {}, {}), *place, {}, (), {"a": 1})
            for part, *place in (("cell", None, None), ("f0", 0, 1), ("f1", 1, 1))
        ]
        cells.write(cell, CellRecord("ser/demo/session", "note", {}, runs[0], tuple(runs[1:])))
        found.append(cell)
    return found


@pytest.fixture
def figures(tmp_path):
    found = CellFolder(tmp_path / "figures")
    for place in (found.folder, found.fold(0, 1).folder, found.fold(1, 1).folder):
        place.mkdir(parents=True)
        (place / "drawn.png").write_bytes(b"pixels")
    return found


@pytest.fixture
def asked(monkeypatch):
    """The filter of every search for runs."""
    search, found = MlflowClient.search_runs, []

    def counted(self, *arguments, **named):
        found.append(named["filter_string"])
        return search(self, *arguments, **named)

    monkeypatch.setattr(MlflowClient, "search_runs", counted)
    return found


@pytest.fixture
def restore(folders, figures, root):
    """Bring everything back in one go; return how many runs there were to record."""

    def restored():
        once = known_runs.opening_once(root)
        counts = [cells.restore(cell, once) for cell in folders]
        for cell in folders:
            cells.add_figures(cell, figures, once)
        return sum(counts)

    return restored


@pytest.fixture
def elsewhere(monkeypatch):
    """As where the store is not a database of this machine: it has to be asked."""
    monkeypatch.setattr(known_runs.local_runs, "find", lambda _uri, _name: None)


def test_what_is_complete_in_a_database_of_this_machine_is_not_asked_for(restore, asked):
    assert restore() == 6
    asked.clear()
    assert restore() == 0
    assert asked == []


def test_what_is_complete_elsewhere_is_asked_for_once(restore, asked, elsewhere):
    assert restore() == 6
    asked.clear()
    assert restore() == 0
    assert asked == ["attributes.status = 'FINISHED'"]


def test_more_runs_than_one_answer_holds_are_all_known(restore, asked, elsewhere, monkeypatch):
    assert restore() == 6
    monkeypatch.setattr(store, "_RUNS_PER_REQUEST", 4)
    asked.clear()
    assert restore() == 0
    assert len(asked) == 2


def test_what_was_added_meanwhile_reaches_the_run_and_only_it(restore, asked, folders, root):
    restore()
    record = cells.read(folders[0])
    changed = replace(record.folds[1], scores={"a": 2})
    cells.write(folders[0], replace(record, folds=(record.folds[0], changed)))
    asked.clear()
    assert restore() == 0
    assert asked == ["tags.`ser.run_key` = 'lstm-focal-f1'"]
    experiment = open_experiment("ser/demo/session", note="note", tags={}, root=root)
    for name, value in (("lstm-focal-f1", 2), ("lstm-focal-f0", 1), ("lstm-aam-f1", 1)):
        run = experiment.client.get_run(experiment.run_id(name))
        assert run.data.metrics["a"] == value
        assert [item.path for item in experiment.client.list_artifacts(run.info.run_id)] == [
            "figures"
        ]


def test_a_run_that_was_cut_short_is_not_taken_for_complete(restore, root):
    restore()
    experiment = open_experiment("ser/demo/session", note="note", tags={}, root=root)
    experiment.client.update_run(experiment.run_id("lstm-aam-f0"), status="RUNNING")
    assert restore() == 1
    assert experiment.is_finished("lstm-aam-f0")
