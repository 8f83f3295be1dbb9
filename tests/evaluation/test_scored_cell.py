"""From predictions to scores: in the cell's folder and in the tracker, trained or restored."""

import json
import logging

import audmetric
import pandas as pd
import pytest

from ser.evaluation import scored_cell
from ser.project import Project
from ser.tracking import cells
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.grid.support import make_runner, make_vad_plan, train_and_score, write_inputs

pytestmark = pytest.mark.stage


def runs_by_name(experiment):
    return {run.spec.name: run for run in experiment.runs.values()}


def test_the_parent_is_scored_by_the_summary_and_a_fold_by_its_own_test_part(root, paths):
    experiment = MemoryExperiment()
    scores = train_and_score(root, paths, experiment)
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
    assert final["dev/best_uar"] == pytest.approx(sum(best) / 3)
    assert "dev/uar" not in final  # of an epoch, and a cell has none


def test_a_cell_that_rates_is_scored_on_its_ratings_everywhere(root):
    paths = write_inputs(root, synthetic.corpus(num_sessions=3, rated=True))
    experiment = MemoryExperiment()
    plan = make_vad_plan(TrainingParams(seeds=(0, 1)), num_epochs=2)
    scores = train_and_score(root, paths, experiment, plan=plan)
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


def test_a_fold_without_an_emotion_to_test_warns_and_the_cell_still_has_pooled_scores(root, caplog):
    utterances = [
        u
        for u in synthetic.corpus(num_sessions=3, per_speaker=4)
        if (u.session, u.emotion) != ("Ses01", "sad")
    ]
    paths = write_inputs(root, utterances, protocol="superb", dev_fraction=0.4)
    experiment = MemoryExperiment()
    with caplog.at_level(logging.WARNING, logger="ser.evaluation.scored_cell"):
        scores = train_and_score(root, paths, experiment)
    (warning,) = caplog.messages
    name, said = warning.split(": ")
    assert name == "lstm-cross_entropy/fold-1/seed-0"
    assert said == "its test part has no utterance of sad, so it has no scores of its own"
    runs = runs_by_name(experiment)
    first = runs["lstm-cross_entropy/fold-1/seed-0"]
    assert "test/uar" not in first.metrics
    assert "figures/confusion.png" not in first.artifacts
    assert "test/uar" in runs["lstm-cross_entropy/fold-2/seed-0"].metrics
    assert runs["lstm-cross_entropy"].metrics["test/uar"] == [(0, scores.scores["uar"])]
    assert scores.confusion.sum() == len(utterances)


def test_a_scored_cell_holds_all_that_training_left_and_its_scores(root, paths):
    scores = train_and_score(root, paths, MemoryExperiment())
    project = Project(root)
    trained, scored = project.trained("lstm-cross_entropy"), project.run("lstm-cross_entropy")
    left = {path.relative_to(trained.folder) for path in trained.folder.rglob("*")}
    found = {path.relative_to(scored.folder) for path in scored.folder.rglob("*")}
    assert found - left == {scored.metrics.relative_to(scored.folder)}
    assert left <= found
    assert json.loads(scored.metrics.read_text())["uar"]["mean"] == scores.scores["uar"]
    # Training's own record is not written through its second name.
    assert cells.read(trained).cell.scores == {}
    assert cells.read(scored).cell.scores == scores.as_metrics()


def test_scoring_again_says_nothing_twice_and_new_scores_replace_the_old(root, paths, monkeypatch):
    experiment = MemoryExperiment()
    train_and_score(root, paths, experiment)
    before = {key: {k: list(v) for k, v in r.metrics.items()} for key, r in experiment.runs.items()}
    train_and_score(root, paths, experiment)
    assert {key: run.metrics for key, run in experiment.runs.items()} == before
    monkeypatch.setattr(scored_cell, "fold_scores", lambda *_: {"test/uar": 0.123})
    train_and_score(root, paths, experiment)
    fold = runs_by_name(experiment)["lstm-cross_entropy/fold-1/seed-0"]
    assert fold.metrics["test/uar"][-1] == (0, 0.123)
    assert fold.metrics["dev/uar"] == before[fold.spec.run_key]["dev/uar"]


def test_what_is_shown_is_the_same_trained_restored_or_scored_anew(root, paths):
    live = MemoryExperiment()
    train_and_score(root, paths, live)
    scored = Project(root).run("lstm-cross_entropy")
    restored = MemoryExperiment()
    cells.restore(scored, lambda *_, **__: restored, root=root)
    anew = MemoryExperiment()
    make_runner(root, paths, anew).run()
    cells.restore(scored, lambda *_, **__: anew, root=root)
    for other in (restored, anew):
        assert list(other.runs) == list(live.runs)
        for key, run in live.runs.items():
            for what in ("metrics", "artifacts", "params"):
                assert getattr(other.runs[key], what) == getattr(run, what)
