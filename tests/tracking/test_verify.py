"""A run leads back to what it was made from, or says what differs."""

from contextlib import nullcontext

import pytest

from ser import lineage, provenance
from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.errors import FileError, LineageError, TrackingError
from ser.project import Project
from ser.tracking import cells, verify
from ser.tracking.cells import CellRecord, RunRecord
from ser.tracking.mlflow_tracker import open_experiment
from tests.repository import commit_all

LOCK = "schema: '2.0'\nstages:\n  split:\n    cmd: python -m pipelines.split\n"
SOURCES = ["ser/metrics.py"]


@pytest.fixture
def project(root, monkeypatch):
    """A workspace with data, sources and a lock, outside git."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    for name, text in [
        ("data/manifest.jsonl", "{}\n"),
        ("data/splits.csv", "fold,part,utterance_id\n"),
        ("data/features/mfcc/meta.json", "{}"),
        ("data/features/mfcc/shard-00000.npy", "frames"),
        ("ser/metrics.py", "uar = 1\n"),
        ("dvc.lock", LOCK),
        ("runs/lstm-focal/predictions.parquet", "predictions"),
    ]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def runs(project):
    """Ids of a parent run and its nested run, both recorded in the project."""
    listed = project / "lineage.json"
    data = ["data/manifest.jsonl"]
    lineage.write_record(project, root=project, sources=SOURCES, data=data)
    predictions = project / "runs/lstm-focal/predictions.parquet"
    tags = {
        "ser.manifest_sha256": lineage.sha256_file(project / "data/manifest.jsonl"),
        "ser.split_sha256": lineage.sha256_file(project / "data/splits.csv"),
        "ser.feature": "mfcc",
        "ser.features_sha256": lineage.digest_folder(project / "data/features/mfcc"),
        "ser.upstream_stages": "split",
        "ser.dvc_lock_sha256": lineage.upstream_lock_sha256(project, ["split"]),
        "ser.git_commit": provenance.git_state(project).commit,
        "ser.source_sha256": lineage.source_sha256(project, SOURCES),
        "ser.predictions_sha256": lineage.sha256_file(predictions),
    }
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=project)
    cell = RunRecord(RunSpec("lstm-focal", "cell", tags, {}))
    cells.write(
        CellFolder(predictions.parent), CellRecord("ser/demo/session", "", {}, cell, folds=())
    )
    with experiment.run(cell.spec) as tracker:
        tracker.log_artifact(listed)
        tracker.log_artifact(predictions, folder="predictions")
        del tags["ser.predictions_sha256"]
        with experiment.run(RunSpec("nested", "fold", tags, {}), parent_key="cell"):
            pass
    return experiment.run_id("cell"), experiment.run_id("fold")


def differing(run_id, root):
    return {check.name for check in verify.verify(run_id, root) if not check.ok}


def test_untouched_workspace_agrees_in_everything(project, runs):
    names = [check.name for check in verify.verify(runs[0], project)]
    assert differing(runs[0], project) == set()
    assert "ser.predictions_sha256" in names
    assert "ser/metrics.py" in names


def test_nested_run_uses_the_file_list_of_its_parent(project, runs):
    (project / "ser/metrics.py").write_text("uar = 2\n")
    assert differing(runs[1], project) == {"ser/metrics.py"}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("data/manifest.jsonl", {"ser.manifest_sha256", "data/manifest.jsonl"}),
        ("data/splits.csv", {"ser.split_sha256"}),
        ("data/features/mfcc/shard-00000.npy", {"ser.features_sha256"}),
        ("ser/metrics.py", {"ser/metrics.py"}),
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_changed_or_missing_file_is_named(project, runs, path, names, gone):
    if gone:
        (project / path).unlink()
    else:
        (project / path).write_text("changed")
    assert differing(runs[0], project) == names


def test_changed_upstream_stage_is_named(project, runs):
    (project / "dvc.lock").write_text(LOCK.replace("pipelines.split", "pipelines.other"))
    assert differing(runs[0], project) == {"ser.dvc_lock_sha256"}


def test_tampered_predictions_are_named(project, runs):
    (kept,) = (project / "mlruns").rglob(f"{runs[0]}/artifacts/predictions/*.parquet")
    kept.write_text("better")
    assert differing(runs[0], project) == {"ser.predictions_sha256"}


def test_predictions_that_are_gone_are_named(project, runs):
    (kept,) = (project / "mlruns").rglob(f"{runs[0]}/artifacts/predictions/*.parquet")
    kept.unlink()
    assert differing(runs[0], project) == {"ser.predictions_sha256"}


@pytest.mark.parametrize("gone", [False, True])
def test_predictions_in_the_cells_folder_are_compared_too(project, runs, gone):
    path = project / "runs/lstm-focal/predictions.parquet"
    if gone:
        path.unlink()
    else:
        path.write_text("damaged")
    (check,) = [check for check in verify.verify(runs[0], project) if not check.ok]
    assert (check.name, check.where) == (
        "ser.predictions_sha256",
        "runs/lstm-focal/predictions.parquet",
    )
    assert differing(runs[1], project) == set()


def test_the_folder_of_another_run_of_the_cell_is_not_compared(project, runs):
    record = project / "runs/lstm-focal/run.json"
    record.write_text(record.read_text().replace('"run_key": "cell"', '"run_key": "later"'))
    (project / "runs/lstm-focal/predictions.parquet").write_text("of a later run")
    assert differing(runs[0], project) == set()


def test_a_damaged_record_of_a_cell_is_refused(project, runs):
    (project / "runs/lstm-focal/run.json").write_text("{")
    with pytest.raises(LineageError, match=r"runs/lstm-focal/run\.json"):
        verify.verify(runs[0], project)
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=project)
    for loss, is_refused in (("aam", False), ("focal", True)):
        experiment.client.set_tag(runs[0], "ser.model", "lstm")
        experiment.client.set_tag(runs[0], "ser.loss", loss)
        refused = pytest.raises(LineageError) if is_refused else nullcontext()
        with refused:
            verify.verify(runs[0], project)


def test_tampered_file_list_is_named(project, runs):
    (kept,) = (project / "mlruns").rglob(f"{runs[0]}/artifacts/lineage.json")
    kept.write_text('{"sources": {}, "data": {}}')
    assert differing(runs[0], project) == {"ser.source_sha256"}


def test_a_damaged_file_list_is_refused_with_its_run(project, runs):
    (kept,) = (project / "mlruns").rglob(f"{runs[0]}/artifacts/lineage.json")
    kept.write_text('{"sources": {')
    with pytest.raises(TrackingError, match=f"run {runs[0]}: .*lineage.json: it is not"):
        verify.verify(runs[0], project)


def test_commit_unknown_to_the_repository_is_named(project, runs):
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=project)
    experiment.client.set_tag(runs[0], "ser.git_commit", "0" * 40)
    assert differing(runs[0], project) == {"ser.git_commit"}


@pytest.mark.parametrize("said", ["none", "{commit}", "none, {commit}", "{commit}, {later}"])
def test_every_commit_that_a_run_names_must_be_there_and_one_that_names_none_agrees(
    project, runs, said
):
    known = [commit_all(project), commit_all(project)]
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=project)
    said = said.format(commit=known[0], later=known[1])
    experiment.client.set_tag(runs[0], "ser.git_commit", said)
    assert differing(runs[0], project) == set()
    experiment.client.set_tag(runs[0], "ser.git_commit", f"{said}, {'0' * 40}")
    assert differing(runs[0], project) == {"ser.git_commit"}


def test_tag_that_was_never_recorded_is_a_difference_even_if_its_file_is_gone(project, runs):
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=project)
    experiment.client.delete_tag(runs[0], "ser.split_sha256")
    (project / "data/splits.csv").unlink()
    (check,) = [c for c in verify.verify(runs[0], project) if c.name == "ser.split_sha256"]
    assert not check.ok
    assert check.recorded == "missing"


def test_run_of_somebody_else_is_refused(project):
    experiment = open_experiment("ser/demo/session", note="", tags={}, root=project)
    run = experiment.client.create_run(experiment.experiment_id)
    with pytest.raises(LineageError, match=r"no tag ser\.run_key"):
        verify.verify(run.info.run_id, project)


def test_unknown_run_and_missing_store_are_refused(project, tmp_path):
    with pytest.raises(TrackingError, match="there is no run 'nobody'"):
        verify.verify("nobody", project)
    with pytest.raises(TrackingError, match="nothing was recorded"):
        verify.verify("nobody", tmp_path / "empty")


def test_a_cell_is_known_by_its_name(project, runs):
    assert verify.find_id("lstm-focal", project) == runs[0]
    assert verify.find_id(runs[1], project) == runs[1]
    with pytest.raises(FileError, match=r"runs/lstm-ccc/run.json: no such file"):
        verify.find_id("lstm-ccc", project)


@pytest.mark.parametrize("experiment", ["ser/demo/session", "ser/other/session"])
def test_a_cell_that_the_store_does_not_have_is_told(project, runs, experiment):
    other = RunRecord(RunSpec("lstm-ccc", "another", {}, {}))
    cells.write(Project(project).run("lstm-ccc"), CellRecord(experiment, "", {}, other, ()))
    with pytest.raises(TrackingError, match=rf"^lstm-ccc: {experiment} has no finished run of it"):
        verify.find_id("lstm-ccc", project)
