import json
import platform
import shutil
import socket

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ser import lineage
from ser.errors import ParamsError, StaleFeaturesError, TrainingError
from ser.features.normalisation import GroupStatistics
from ser.grid import cell as cells_module
from ser.grid import cell_lock
from ser.models import lstm
from ser.project import Project
from ser.tracking import cells
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training import ranks
from ser.training.checkpoint import Checkpoint
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.grid.support import (
    make_runner,
    make_soft_plan,
    make_vad_plan,
    train_and_score,
    write_inputs,
)
from tests.repository import commit_all
from tests.training.support import make_plan

pytestmark = pytest.mark.stage

TAGS = {
    "ser.model", "ser.loss", "ser.corpus", "ser.protocol", "ser.fold", "ser.seed",
    "ser.split_sha256", "ser.features_sha256", "ser.git_commit", "ser.dvc_lock_sha256",
}  # fmt: skip


def runs_by_name(experiment):
    return {run.spec.name: run for run in experiment.runs.values()}


def read_all(folder, name):
    files = (path for path in folder.rglob(name) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def train_fold(monkeypatch):
    """Counts the folds that are trained; stops before the one of `stop_before`."""

    class Counted:
        def __init__(self):
            self.numbers, self.stop_before = [], None

        def __call__(self, plan, data, context):
            if data.fold.number == self.stop_before:
                raise KeyboardInterrupt
            self.numbers.append(data.fold.number)
            return real(plan, data, context)

    real = cells_module.folds.train_fold
    counted = Counted()
    monkeypatch.setattr(cells_module.folds, "train_fold", counted)
    return counted


def test_a_cell_leaves_the_folder_of_the_contract_and_its_record(root, paths):
    experiment = MemoryExperiment()
    runner = make_runner(root, paths, experiment, TrainingParams(seeds=(0, 1)))
    runner.run()
    out = Project(root).trained("lstm-cross_entropy")
    places = [f"fold-{fold}/seed-{seed}" for fold in (1, 2, 3) for seed in (0, 1)]
    for place in places:
        for name in ("model.safetensors", "statistics.safetensors", "predictions.parquet"):
            assert (out.folder / place / name).is_file()
    frame = pd.read_parquet(out.predictions)
    assert len(frame[["fold", "seed"]].drop_duplicates()) == 6
    history = pd.read_csv(out.history)
    assert history[["fold", "seed", "epoch"]].to_numpy().tolist() == [
        [fold, seed, epoch] for fold in (1, 2, 3) for seed in (0, 1) for epoch in (1, 2)
    ]
    assert not out.metrics.exists()
    record = cells.read(out)
    assert record.experiment == "ser/demo/session"
    assert {(fold.fold, fold.seed) for fold in record.folds} == {
        (fold, seed) for fold in (1, 2, 3) for seed in (0, 1)
    }
    for run in (record.cell, *record.folds):
        assert [path for path, _ in run.artifacts if not (out.folder / path).exists()] == []
        assert run.scores == {}
    # What was kept to go on after an interruption is gone.
    assert not list((root / "work" / "checkpoints").glob("*"))
    assert not list((root / "work" / "cells" / "trained").iterdir())


def test_the_runs_are_a_parent_and_its_folds_with_all_tags(root, paths):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment).run()
    runs = runs_by_name(experiment)
    names = [f"lstm-cross_entropy/fold-{fold}/seed-0" for fold in (1, 2, 3)]
    assert list(runs) == ["lstm-cross_entropy", *names]
    parent = runs["lstm-cross_entropy"]
    assert parent.parent_key is None
    assert {runs[name].parent_key for name in names} == {parent.spec.run_key}
    for run in runs.values():
        assert run.status == "FINISHED"
        assert {tag for tag in TAGS if run.tags.get(tag)} == TAGS
        assert len(run.tags["ser.predictions_sha256"]) == 64
        assert "lineage.json" in run.artifacts
        assert "predictions.parquet" in run.artifacts
    assert [run.tags["ser.fold"] for run in runs.values()] == ["all", "1", "2", "3"]
    assert {run.tags["ser.seed"] for run in runs.values()} == {"all", "0"}


def test_a_loss_that_wants_ratings_is_refused_before_anything_is_recorded(root, paths):
    experiment = MemoryExperiment()
    with pytest.raises(
        ParamsError, match=r"losses\.ccc\.targets: vad .* corpus demo has no rating"
    ):
        make_runner(root, paths, experiment, plan=make_vad_plan()).run()
    assert experiment.runs == {}
    assert not (root / "work").exists()
    assert not Project(root).trained("").folder.exists()


def test_a_cell_of_soft_targets_learns_the_votes_and_says_so(root, caplog):
    paths = write_inputs(root, synthetic.corpus(num_sessions=3, voted=True))
    caplog.set_level("INFO")
    weights = []
    for plan in (make_soft_plan(num_epochs=1), make_plan(num_epochs=1)):
        experiment = MemoryExperiment()
        runner = make_runner(root, paths, experiment, plan=plan)
        runner.run()
        weights.append(load_file(runner.out.fold(1, 0).weights)["embedding.weight"])
        parent = next(iter(experiment.runs.values()))
        assert parent.tags["ser.targets"] == plan.training.targets
    assert not torch.equal(*weights)
    assert "lstm-cross_entropy: soft targets: " in caplog.text
    assert "of 48 utterances have votes for the classes" in caplog.text


def test_soft_targets_without_votes_are_refused_before_anything_is_recorded(root, paths):
    experiment = MemoryExperiment()
    with pytest.raises(ParamsError, match=r"training\.targets: soft .* corpus demo has no votes"):
        make_runner(root, paths, experiment, plan=make_soft_plan()).run()
    assert experiment.runs == {}
    assert not (root / "work").exists()


def test_a_normalisation_without_use_is_refused_before_anything_is_recorded(
    root, paths, monkeypatch
):
    monkeypatch.setattr(lstm.LstmModel, "normalises_inputs", False)
    experiment = MemoryExperiment()
    with pytest.raises(ParamsError, match=r"recipes\.lstm\.normalisation: session"):
        make_runner(root, paths, experiment, normalisation="session").run()
    assert experiment.runs == {}
    assert not (root / "work").exists()


REFIT = TrainingParams(refit=True)


def test_a_refitted_cell_is_tagged_has_its_curves_and_leaves_no_checkpoint(root, paths):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment, REFIT).run()
    out = Project(root).trained("lstm-cross_entropy")
    history = pd.read_csv(out.history)
    runs = runs_by_name(experiment)
    for fold in (1, 2, 3):
        best = json.loads(out.fold(fold, 0).facts.read_text())["best_epoch"]
        rows = history[history["fold"] == fold]
        assert rows["refit/loss"].notna().tolist() == [epoch <= best for epoch in rows["epoch"]]
        run = runs[f"lstm-cross_entropy/fold-{fold}/seed-0"]
        assert [step for step, _ in run.metrics["refit/loss"]] == list(range(1, best + 1))
    assert {run.tags["ser.refit"] for run in runs.values()} == {"true"}
    assert not list((root / "work" / "checkpoints").glob("*"))


def test_a_kept_refitted_fold_is_recorded_as_it_was_and_quietly(root, paths, caplog, train_fold):
    first, second = MemoryExperiment(), MemoryExperiment()
    make_runner(root, paths, first, REFIT).run()
    train_fold.numbers = []
    make_runner(root, paths, second, REFIT).run()
    assert train_fold.numbers == []
    assert {k: r.metrics for k, r in first.runs.items()} == {
        k: r.metrics for k, r in second.runs.items()
    }
    assert "not recorded" not in caplog.text


def test_a_cell_that_is_killed_while_it_refits_ends_with_the_same_bytes(root, paths, monkeypatch):
    out = Project(root).trained("lstm-cross_entropy").folder
    settings = {"num_epochs": 3, "learning_rate": 0.03}
    make_runner(root, paths, MemoryExperiment(), plan=make_plan(REFIT, **settings)).run()
    whole = read_all(out, "*")
    shutil.rmtree(root / "work")
    shutil.rmtree(out)
    save, saved = Checkpoint.save, []

    def save_then_die(checkpoint, snapshot):
        save(checkpoint, snapshot)
        saved.append(checkpoint.path.name)
        if checkpoint.path.stem.endswith("-refit"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "is_due", True)
        patch.setattr(Checkpoint, "save", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            make_runner(root, paths, MemoryExperiment(), plan=make_plan(REFIT, **settings)).run()
    left = {path.name for path in (root / "work" / "checkpoints").iterdir()}
    assert left == set(saved)
    assert len(left) == 2
    make_runner(root, paths, MemoryExperiment(), plan=make_plan(REFIT, **settings)).run()
    assert read_all(out, "*") == whole


@pytest.mark.parametrize("normalisation", ["speaker", "session"])
def test_a_transductive_cell_trains_and_is_tagged(root, paths, normalisation):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment, normalisation=normalisation).run()
    assert {run.tags["ser.transductive"] for run in experiment.runs.values()} == {"true"}
    out = Project(root).trained("lstm-cross_entropy")
    kept = GroupStatistics.load(out.fold(1, 0).statistics)
    tested = {name.removeprefix("test/") for name in kept.groups if name.startswith("test/")}
    assert tested == ({"Ses01F", "Ses01M"} if normalisation == "speaker" else {"Ses01"})


def test_of_all_weights_the_best_of_the_cell_may_be_all_that_is_kept(root, paths):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment, TrainingParams(keep_weights="best")).run()
    out = Project(root).trained("lstm-cross_entropy").folder
    (kept,) = out.glob("fold-*/seed-*/model.safetensors")
    facts = {
        path.parent: json.loads(path.read_text())["dev_score"]
        for path in sorted(out.glob("fold-*/seed-*/facts.json"))
    }
    assert facts[kept.parent] == max(facts.values())
    assert len(list(out.glob("fold-*/seed-*/statistics.safetensors"))) == 3


def test_an_interrupted_cell_goes_on_with_the_first_fold_that_is_not_finished(
    root, paths, train_fold
):
    experiment = MemoryExperiment()
    train_fold.stop_before = 2
    with pytest.raises(KeyboardInterrupt):
        make_runner(root, paths, experiment).run()
    statuses = {name: run.status for name, run in runs_by_name(experiment).items()}
    assert statuses == {
        "lstm-cross_entropy": "KILLED",
        "lstm-cross_entropy/fold-1/seed-0": "FINISHED",
        "lstm-cross_entropy/fold-2/seed-0": "KILLED",
    }
    out = Project(root).trained("lstm-cross_entropy").folder
    assert not out.exists()
    train_fold.stop_before, train_fold.numbers = None, []
    make_runner(root, paths, experiment).run()
    assert train_fold.numbers == [2, 3]
    assert len(experiment.runs) == 4
    for run in experiment.runs.values():
        assert run.status == "FINISHED"
        assert all(len(values) == len(dict(values)) for values in run.metrics.values())
    resumed = read_all(out, "*.parquet") | read_all(out, "*.safetensors")
    shutil.rmtree(root / "work")
    make_runner(root, paths, MemoryExperiment()).run()
    assert train_fold.numbers == [2, 3, 1, 2, 3]
    assert read_all(out, "*.parquet") | read_all(out, "*.safetensors") == resumed


def test_a_fold_that_was_finished_unrecorded_is_recorded_without_training(root, paths, train_fold):
    """The tracker's store was lost while the cell was interrupted."""
    train_fold.stop_before = 2
    with pytest.raises(KeyboardInterrupt):
        make_runner(root, paths, MemoryExperiment()).run()
    train_fold.stop_before, train_fold.numbers = None, []
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment).run()
    assert train_fold.numbers == [2, 3]
    first = runs_by_name(experiment)["lstm-cross_entropy/fold-1/seed-0"]
    assert [step for step, _ in first.metrics["dev/uar"]] == [1, 2]


def test_a_finished_cell_that_runs_again_is_not_recorded_twice(root, paths, train_fold):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment).run()
    before = {key: {k: list(v) for k, v in r.metrics.items()} for key, r in experiment.runs.items()}
    make_runner(root, paths, experiment).run()
    assert train_fold.numbers == [1, 2, 3]
    assert {key: run.metrics for key, run in experiment.runs.items()} == before


def test_another_seed_is_another_run_and_trains_only_itself(root, paths, train_fold):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment).run()
    train_fold.numbers = []
    make_runner(root, paths, experiment, TrainingParams(seeds=(0, 1))).run()
    assert train_fold.numbers == [1, 2, 3]
    names = [run.spec.name for run in experiment.runs.values()]
    # Two parents, since their scores differ; but fold 1 under seed 0 is one run for both.
    assert names.count("lstm-cross_entropy") == 2
    assert names.count("lstm-cross_entropy/fold-1/seed-0") == 1
    assert len(names) == 2 + 6


def test_seed_after_seed_gives_the_bytes_of_both_at_once(root, paths):
    out, both = Project(root).trained("lstm-cross_entropy").folder, TrainingParams(seeds=(0, 1))
    make_runner(root, paths, MemoryExperiment()).run()
    make_runner(root, paths, MemoryExperiment(), both).run()
    one_after_the_other = read_all(out, "*")
    shutil.rmtree(root / "work")
    make_runner(root, paths, MemoryExperiment(), both).run()
    assert read_all(out, "*") == one_after_the_other


def test_a_fold_that_is_kept_but_damaged_is_trained_again_and_said(root, paths, train_fold, caplog):
    make_runner(root, paths, MemoryExperiment()).run()
    kept = next(Project(root).kept_folds.iterdir())
    (kept / "embeddings.safetensors").unlink()
    train_fold.numbers = []
    make_runner(root, paths, MemoryExperiment()).run()
    assert len(train_fold.numbers) == 1
    assert f"{kept}: files are missing, so it is trained again" in caplog.text


def digests(root):
    """Of all files of a cell, trained and scored; name -> digest."""
    project = Project(root)
    places = [
        project.trained("lstm-cross_entropy").folder,
        project.run("lstm-cross_entropy").folder,
    ]
    return lineage.file_digests(root, [place.relative_to(root) for place in places])


@pytest.fixture
def ignoring(root):
    """Git ignores there what it ignores in the project."""
    (root / ".gitignore").write_text("work\nruns\ndata/trained\n")
    return root


def test_another_commit_machine_and_folder_make_the_same_files(ignoring, paths, monkeypatch):
    root, first = ignoring, MemoryExperiment()
    commits = [commit_all(root)]
    train_and_score(root, paths, first)
    whole = digests(root)
    assert not [name for name in whole if "provenance" in name]

    # As on another machine: nothing is kept there, and the folder has another name.
    elsewhere = root / "work" / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "ser").symlink_to(root / "ser")
    shutil.copytree(root / "data", elsewhere / "data")
    shutil.rmtree(elsewhere / "data" / "trained")
    shutil.copy(root / ".gitignore", elsewhere)
    commits.append(commit_all(elsewhere))
    (elsewhere / "dirty.py").touch()
    (elsewhere / "dvc.lock").write_text("stages: {prepare: {}, split: {}, extract@mfcc: {}}")
    monkeypatch.setattr(platform, "platform", lambda: "Other-1.0")
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    monkeypatch.setattr(socket, "gethostname", lambda: "other")
    second = MemoryExperiment()
    train_and_score(elsewhere, Project(elsewhere), second)
    assert digests(elsewhere) == whole

    for run in first.runs.values():
        assert (run.tags["ser.git_commit"], run.tags["ser.git_dirty"]) == (commits[0], "false")
        assert run.tags["ser.dvc_lock_sha256"] == "none"
    for run in second.runs.values():
        assert (run.tags["ser.git_commit"], run.tags["ser.git_dirty"]) == (commits[1], "true")
        assert (run.tags["ser.platform"], run.tags["ser.python"]) == ("Other-1.0", "3.99.0")
        assert run.tags["ser.dvc_lock_sha256"] != "none"
    artifacts = runs_by_name(second)["lstm-cross_entropy/fold-1/seed-0"].artifacts
    assert json.loads(artifacts["provenance.json"])["host"] == "other"


def test_a_cell_of_folds_from_several_commits_names_all_and_each_fold_its_own(
    root, paths, train_fold
):
    commits = [commit_all(root)]
    train_fold.stop_before = 2
    with pytest.raises(KeyboardInterrupt):
        make_runner(root, paths, MemoryExperiment()).run()
    commits.append(commit_all(root))
    train_fold.stop_before, train_fold.numbers, experiment = None, [], MemoryExperiment()
    make_runner(root, paths, experiment).run()
    assert train_fold.numbers == [2, 3]
    parent, *nested = [run.tags["ser.git_commit"] for run in experiment.runs.values()]
    assert parent == ", ".join(sorted(commits))
    assert nested == [commits[0], commits[1], commits[1]]


def test_runs_that_are_restored_say_where_their_folds_were_trained(root, paths):
    commit_all(root)
    trained, restored = MemoryExperiment(), MemoryExperiment()
    train_and_score(root, paths, trained)
    commit_all(root)
    project = Project(root)
    folders = project.run("lstm-cross_entropy"), project.trained("lstm-cross_entropy")
    cells.restore(folders[0], lambda *_, **__: restored, trained=folders[1], root=root)
    assert restored.runs.keys() == trained.runs.keys()
    for key, run in restored.runs.items():
        assert run.tags.pop("ser.restored") == "true"
        assert run.tags == trained.runs[key].tags
        assert run.artifacts == trained.runs[key].artifacts


def test_what_the_folder_held_before_is_replaced(root, paths):
    out = Project(root).trained("lstm-cross_entropy").folder
    (out / "fold-9").mkdir(parents=True)
    make_runner(root, paths, MemoryExperiment()).run()
    assert not (out / "fold-9").exists()


def test_a_cell_is_not_assembled_of_features_that_look_unchanged_and_are_not(
    root, paths, monkeypatch
):
    runner = make_runner(root, paths, MemoryExperiment())
    monkeypatch.setitem(runner.inputs.digests, "features", "0" * 64)
    with pytest.raises(StaleFeaturesError, match="remove the folder and"):
        runner.run()
    assert not runner.out.folder.exists()


def test_a_cell_that_is_being_trained_is_refused_and_what_is_there_stays(root, paths):
    runner = make_runner(root, paths, experiment := MemoryExperiment())
    runner.assembly.staging.folder.mkdir(parents=True)
    path = Project(root).locks / "trained" / "lstm-cross_entropy.lock"
    with (
        cell_lock.held(path, runner.plan.name),
        pytest.raises(TrainingError, match="lstm-cross_entropy is being trained already"),
    ):
        runner.run()
    assert experiment.runs == {}
    assert runner.assembly.staging.folder.is_dir()


def test_a_helping_process_trains_along_and_writes_nothing(root, paths, monkeypatch):
    runner = make_runner(root, paths, MemoryExperiment())
    monkeypatch.setattr(ranks, "is_first", lambda: False)
    assert runner.run() is None
    assert not Project(root).trained("").folder.exists()
    assert not (root / "work").exists()
