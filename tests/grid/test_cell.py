import json
import logging

import audmetric
import pandas as pd
import pytest

from ser.errors import ParamsError
from ser.grid import cell as cells_module
from ser.tracking import cells
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.grid.support import make_runner, make_vad_plan, write_inputs

TAGS = {
    "ser.model", "ser.loss", "ser.corpus", "ser.protocol", "ser.fold", "ser.seed",
    "ser.split_sha256", "ser.features_sha256", "ser.git_commit", "ser.dvc_lock_sha256",
}  # fmt: skip


@pytest.fixture(autouse=True)
def quick_figures(monkeypatch):
    """Drawing takes longer than training here, and has tests of its own."""

    def save(_figure, stem):
        stem.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".png", ".svg"):
            stem.with_suffix(suffix).touch()

    monkeypatch.setattr(cells_module.style, "save", save)


def runs_by_name(experiment):
    return {run.spec.name: run for run in experiment.runs.values()}


def read_all(folder, name):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob(name)}


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
    scores = runner.run()
    out = root / "runs" / "lstm-cross_entropy"
    places = [f"fold-{fold}/seed-{seed}" for fold in (1, 2, 3) for seed in (0, 1)]
    for place in places:
        for name in ("model.safetensors", "statistics.safetensors", "predictions.parquet"):
            assert (out / place / name).is_file()
    frame = pd.read_parquet(out / "predictions.parquet")
    assert len(frame[["fold", "seed"]].drop_duplicates()) == 6
    history = pd.read_csv(out / "history.csv")
    assert history[["fold", "seed", "epoch"]].to_numpy().tolist() == [
        [fold, seed, epoch] for fold in (1, 2, 3) for seed in (0, 1) for epoch in (1, 2)
    ]
    assert json.loads((out / "metrics.json").read_text())["uar"]["mean"] == scores.scores["uar"]
    for name in ("confusion", "learning_curves"):
        assert (out / "figures" / f"{name}.svg").is_file()
    record = cells.read(out)
    assert record.experiment == "ser/demo/session"
    assert {(fold.fold, fold.seed) for fold in record.folds} == {
        (fold, seed) for fold in (1, 2, 3) for seed in (0, 1)
    }
    for run in (record.cell, *record.folds):
        assert [path for path, _ in run.artifacts if not (out / path).exists()] == []
    # What was kept to go on after an interruption is gone.
    assert not list((root / "work" / "checkpoints").iterdir())
    assert not (root / "work" / "cells" / "lstm-cross_entropy").exists()


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


def test_the_parent_is_scored_by_the_summary_and_a_fold_by_its_own_test_part(root, paths):
    experiment = MemoryExperiment()
    scores = make_runner(root, paths, experiment).run()
    runs = runs_by_name(experiment)
    final = {key: values[-1][1] for key, values in runs["lstm-cross_entropy"].metrics.items()}
    assert final.items() >= scores.as_metrics().items()
    frame = pd.read_parquet(root / "runs" / "lstm-cross_entropy" / "predictions.parquet")
    best = []
    for fold in (1, 2, 3):
        run = runs[f"lstm-cross_entropy/fold-{fold}/seed-0"]
        test = frame[(frame["fold"] == fold) & (frame["part"] == "test")]
        accuracy = (test["truth"] == test["prediction"]).mean()
        assert run.metrics["test/wa"] == [(0, pytest.approx(accuracy))]
        assert [step for step, _ in run.metrics["dev/uar"]] == [1, 2]
        best.append(max(value for _, value in run.metrics["dev/uar"]))
        assert run.metrics["dev/best_uar"] == [(0, best[-1])]
    assert final["dev/uar"] == pytest.approx(sum(best) / 3)


def test_a_cell_that_rates_is_scored_on_its_ratings_everywhere(root):
    paths = write_inputs(root, synthetic.corpus(num_sessions=3, rated=True))
    experiment = MemoryExperiment()
    plan = make_vad_plan(TrainingParams(seeds=(0, 1)), num_epochs=2)
    scores = make_runner(root, paths, experiment, plan=plan).run()
    out, runs = root / "runs" / "lstm-ccc", runs_by_name(experiment)
    frame = pd.read_parquet(out / "predictions.parquet")
    content = json.loads((out / "metrics.json").read_text())
    test = frame[frame["part"] == "test"]
    for dimension in ("valence", "arousal", "dominance"):
        rated = test.dropna(subset=dimension)
        assert (len(rated) < len(test)) == (dimension == "dominance")
        name = f"ccc_{dimension}"
        by_seed = [ccc_of(rows, dimension) for _, rows in rated.groupby("seed")]
        assert scores.scores[name] == pytest.approx(sum(by_seed) / 2)
        assert content[name]["mean"] == scores.scores[name]
        assert content[f"mae_{dimension}"]["mean"] == scores.scores[f"mae_{dimension}"]
        assert runs["lstm-ccc"].metrics[f"test/{name}"] == [(0, scores.scores[name])]
        for (fold, seed), rows in rated.groupby(["fold", "seed"]):
            found = runs[f"lstm-ccc/fold-{fold}/seed-{seed}"].metrics
            assert found[f"test/{name}"] == [(0, pytest.approx(ccc_of(rows, dimension)))]
            assert [step for step, _ in found[f"dev/{name}"]] == [1, 2]


def ccc_of(rows, dimension):
    return audmetric.concordance_cc(rows[dimension], rows[f"predicted_{dimension}"])


def test_a_loss_that_wants_ratings_is_refused_before_anything_is_recorded(root, paths):
    experiment = MemoryExperiment()
    with pytest.raises(
        ParamsError, match=r"losses\.ccc\.targets: vad .* corpus demo has no rating"
    ):
        make_runner(root, paths, experiment, plan=make_vad_plan()).run()
    assert experiment.runs == {}
    assert not (root / "work").exists()
    assert not (root / "runs").exists()


def test_of_all_weights_the_best_of_the_cell_may_be_all_that_is_kept(root, paths):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment, TrainingParams(keep_weights="best")).run()
    out = root / "runs" / "lstm-cross_entropy"
    (kept,) = out.glob("fold-*/seed-*/model.safetensors")
    facts = {
        path.parent: json.loads(path.read_text())["dev_uar"]
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
    out = root / "runs" / "lstm-cross_entropy"
    assert not out.exists()
    train_fold.stop_before, train_fold.numbers = None, []
    make_runner(root, paths, experiment).run()
    assert train_fold.numbers == [2, 3]
    assert len(experiment.runs) == 4
    for run in experiment.runs.values():
        assert run.status == "FINISHED"
        assert all(len(values) == len(dict(values)) for values in run.metrics.values())
    resumed = read_all(out, "*.parquet") | read_all(out, "*.safetensors")
    make_runner(root, paths, MemoryExperiment()).run()
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
    assert "test/uar" in first.metrics


def test_a_finished_cell_that_runs_again_is_not_recorded_twice(root, paths, train_fold):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment).run()
    before = {key: {k: list(v) for k, v in r.metrics.items()} for key, r in experiment.runs.items()}
    make_runner(root, paths, experiment).run()
    assert train_fold.numbers == [1, 2, 3, 1, 2, 3]
    assert {key: run.metrics for key, run in experiment.runs.items()} == before


def test_another_seed_is_another_run_and_trains_only_itself(root, paths, train_fold):
    experiment = MemoryExperiment()
    make_runner(root, paths, experiment).run()
    make_runner(root, paths, experiment, TrainingParams(seeds=(0, 1))).run()
    names = [run.spec.name for run in experiment.runs.values()]
    # Two parents, since their scores differ; but fold 1 under seed 0 is one run for both.
    assert names.count("lstm-cross_entropy") == 2
    assert names.count("lstm-cross_entropy/fold-1/seed-0") == 1
    assert len(names) == 2 + 6


def test_a_fold_without_an_emotion_to_test_warns_and_the_cell_still_has_pooled_scores(root, caplog):
    utterances = [
        u
        for u in synthetic.corpus(num_sessions=3, per_speaker=4)
        if (u.session, u.emotion) != ("Ses01", "sad")
    ]
    paths = write_inputs(root, utterances, protocol="superb", dev_fraction=0.4)
    experiment = MemoryExperiment()
    with caplog.at_level(logging.WARNING, logger="ser.grid.cell"):
        scores = make_runner(root, paths, experiment).run()
    (warning,) = caplog.messages
    assert warning == "lstm-cross_entropy/fold-1/seed-0: nobody is ['sad'] in its test part"
    runs = runs_by_name(experiment)
    first = runs["lstm-cross_entropy/fold-1/seed-0"]
    assert "test/uar" not in first.metrics
    assert "figures/confusion.png" not in first.artifacts
    assert "test/uar" in runs["lstm-cross_entropy/fold-2/seed-0"].metrics
    assert runs["lstm-cross_entropy"].metrics["test/uar"] == [(0, scores.scores["uar"])]
    assert scores.confusion.sum() == len(utterances)


def test_what_the_folder_held_before_is_replaced(root, paths):
    out = root / "runs" / "lstm-cross_entropy"
    (out / "fold-9").mkdir(parents=True)
    make_runner(root, paths, MemoryExperiment()).run()
    assert not (out / "fold-9").exists()


def test_a_helping_process_trains_along_and_writes_nothing(root, paths, monkeypatch):
    runner = make_runner(root, paths, MemoryExperiment())
    monkeypatch.setattr(type(runner.accelerator), "is_main_process", property(lambda _: False))
    assert runner.run() is None
    assert not (root / "runs").exists()
    assert not (root / "work").exists()
