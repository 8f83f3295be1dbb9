"""A cell's runs as files, and their way back into the tracker."""

import json
import math
from collections.abc import Callable

import pytest

from ser.cell_folders import CellFolder
from ser.contracts import DatasetReference, RunSpec
from ser.errors import FileError, LineageError
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tracking.mlflow_tracker import open_experiment

DATASET = DatasetReference("manifest", "d" * 64, "data/manifest.jsonl", "training")
HISTORY = """\
fold,seed,epoch,train/loss,dev/uar,learning_rate
0,1,2,0.8,0.4,0.001
0,1,1,1.0,0.3,0.002
1,1,1,1.1,,0.002
"""


def fold_record(fold):
    spec = RunSpec(
        f"lstm-focal/fold-{fold}/seed-1", f"fold-{fold}", {"ser.fold": str(fold)}, {"lr": 0.1}
    )
    metrics = {"test/uar": 0.5 + fold / 10}
    return RunRecord(spec, fold, 1, metrics, ((f"fold-{fold}/model.txt", "model"),))


CELL = CellRecord(
    experiment="ser/demo/session",
    note="synthetic",
    experiment_tags={"ser.corpus": "demo"},
    cell=RunRecord(
        RunSpec("lstm-focal", "cell", {"ser.model": "lstm"}, {"lr": [0.1]}, "n", (DATASET,)),
        metrics={"test/uar": 0.55},
        artifacts=(("history.csv", ""),),
    ),
    folds=(fold_record(0), fold_record(1)),
)


@pytest.fixture
def folder(tmp_path):
    cell = CellFolder(tmp_path / "runs" / "lstm-focal")
    path = cell.folder
    for fold in (0, 1):
        (path / f"fold-{fold}").mkdir(parents=True)
        (path / f"fold-{fold}" / "model.txt").write_text(f"weights {fold}")
    (path / "history.csv").write_text(HISTORY)
    cells.write(cell, CELL)
    return cell


def opener(experiment) -> Callable[..., MemoryExperiment]:
    def open_(name, *, note, tags):
        assert (name, note, tags) == ("ser/demo/session", "synthetic", {"ser.corpus": "demo"})
        return experiment

    return open_


def test_record_comes_back_as_it_was_written(folder):
    assert cells.read(folder) == CELL


def test_record_keeps_a_missing_value_as_null(tmp_path):
    broken = RunRecord(CELL.cell.spec, metrics={"test/ece": float("nan")})
    cells.write(CellFolder(tmp_path), CellRecord("e", "n", {}, broken, ()))
    assert json.loads((tmp_path / "run.json").read_text())["cell"]["metrics"] == {"test/ece": None}
    assert math.isnan(cells.read(CellFolder(tmp_path)).cell.metrics["test/ece"])


def test_lost_runs_are_restored_with_curves_values_and_artifacts(folder):
    experiment = MemoryExperiment()
    assert cells.restore(folder, opener(experiment)) == 3
    run = experiment.runs["fold-0"]
    assert run.metrics["train/loss"] == [(1, 1.0), (2, 0.8)]
    assert run.metrics["dev/uar"] == [(1, 0.3), (2, 0.4)]
    assert run.metrics["test/uar"] == [(0, 0.5)]
    assert run.artifacts == {"model/model.txt": b"weights 0"}
    assert run.parent_key == "cell"
    assert run.tags["ser.restored"] == "true"
    assert "dev/uar" not in experiment.runs["fold-1"].metrics
    assert experiment.runs["cell"].metrics == {"test/uar": [(0, 0.55)]}
    assert set(experiment.runs["cell"].artifacts) == {"history.csv"}


def test_restoring_a_complete_cell_does_nothing(folder):
    experiment = MemoryExperiment()
    cells.restore(folder, opener(experiment))
    before = {key: dict(run.metrics) for key, run in experiment.runs.items()}
    assert cells.restore(folder, opener(experiment)) == 0
    assert {key: run.metrics for key, run in experiment.runs.items()} == before


def test_only_missing_and_unfinished_runs_are_restored(folder):
    experiment = MemoryExperiment()
    with experiment.run(CELL.cell.spec) as tracker:
        cells.complete(tracker, CELL.cell, folder.folder)

    def interrupt():
        with experiment.run(CELL.folds[0].spec) as tracker:
            tracker.log_metrics({"train/loss": 1.0, "dev/uar": 0.3}, step=1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert cells.restore(folder, opener(experiment)) == 2
    assert experiment.runs["fold-0"].metrics["train/loss"] == [(1, 1.0), (2, 0.8)]
    assert experiment.runs["fold-0"].status == "FINISHED"
    assert "ser.restored" not in experiment.runs["cell"].tags


def test_what_training_logs_live_is_what_restoring_logs(folder):
    live, restored = MemoryExperiment(), MemoryExperiment()
    with live.run(CELL.cell.spec) as tracker:
        with live.run(CELL.folds[0].spec, parent_key="cell") as nested:
            nested.log_metrics({"train/loss": 1.0, "dev/uar": 0.3, "learning_rate": 0.002}, step=1)
            nested.log_metrics({"train/loss": 0.8, "dev/uar": 0.4, "learning_rate": 0.001}, step=2)
            cells.complete(nested, CELL.folds[0], folder.folder)
        cells.complete(tracker, CELL.cell, folder.folder)
    cells.restore(folder, opener(restored))
    for key in ("cell", "fold-0"):
        for what in ("metrics", "artifacts", "params"):
            assert getattr(live.runs[key], what) == getattr(restored.runs[key], what)


def test_runs_come_back_into_mlflow(folder, root):
    def open_(name, *, note, tags):
        return open_experiment(name, note=note, tags=tags, root=root)

    assert cells.restore(folder, open_) == 3
    assert cells.restore(folder, open_) == 0
    experiment = open_("ser/demo/session", note="synthetic", tags={})
    run = experiment.client.get_run(experiment.run_id("fold-1"))
    assert run.data.metrics["test/uar"] == 0.6
    assert run.data.tags["mlflow.parentRunId"] == experiment.run_id("cell")


def test_missing_artifact_is_named_before_anything_is_recorded(folder):
    (folder.folder / "fold-1" / "model.txt").unlink()
    experiment = MemoryExperiment()
    with pytest.raises(LineageError, match=r"fold-1/model\.txt; `dvc checkout`"):
        cells.restore(folder, opener(experiment))
    assert experiment.runs == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"experiment": "x"}'])
def test_damaged_record_is_refused_by_name(folder, content):
    (folder.folder / "run.json").write_text(content)
    with pytest.raises(FileError, match=r"run\.json: it is not the record of a cell"):
        cells.read(folder)


def test_missing_record_is_refused_with_its_cure(tmp_path):
    with pytest.raises(FileError, match=r"run\.json: no such file; `dvc checkout`"):
        cells.read(CellFolder(tmp_path))


def test_damaged_history_is_refused_with_its_line(folder):
    (folder.folder / "history.csv").write_text("fold,seed,epoch,dev/uar\n0,1,1,0.3\n0,1,x,0.4\n")
    with pytest.raises(LineageError, match=r"history\.csv:3: expected whole numbers"):
        cells.restore(folder, opener(MemoryExperiment()))


def test_a_scored_folder_is_that_of_a_trained_cell_or_of_another(folder, tmp_path):
    scored = CellFolder(tmp_path / "scored")
    assert not cells.is_of(scored, folder)
    scored.folder.mkdir()
    cells.write(scored, CELL)
    assert cells.is_of(scored, folder)
    other = RunRecord(RunSpec("lstm-focal", "another", {}, {}))
    cells.write(scored, CellRecord("e", "n", {}, other, ()))
    assert not cells.is_of(scored, folder)
