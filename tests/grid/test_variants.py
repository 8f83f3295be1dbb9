"""Cells on copies, and the same cells without: what they leave and which folds they share."""

import pandas as pd
import pytest

from ser.errors import ParamsError
from ser.evaluation import scored_cell
from ser.grid import runners, variants
from ser.project import Project
from ser.tracking import cells
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.grid.support import make_runner, write_inputs
from tests.training.support import make_plan

CELL = "lstm-cross_entropy"
SHARES = {"clean": 0.5, "speed_0.9": 0.5}


def test_only_the_untuned_variant_ignores_what_was_tuned():
    assert variants.is_tuned("")
    assert variants.is_tuned(variants.WITHOUT_COPIES)
    assert not variants.is_tuned(variants.UNTUNED)


def test_a_plan_without_copies_is_the_same_plan_but_for_them():
    plan = make_plan(copies=SHARES, num_epochs=7)
    assert runners._without_copies(plan) == make_plan(num_epochs=7)


def test_without_copies_there_is_nothing_to_leave_out():
    message = r"robustness\.without_copies\.lstm-cross_entropy: recipes\.lstm\.copies is null"
    with pytest.raises(ParamsError, match=message):
        runners._without_copies(make_plan())


@pytest.fixture
def copied(root):
    """A cell's inputs whose feature has two copies."""
    utterances = synthetic.corpus(num_sessions=3)
    paths = write_inputs(root, utterances)
    synthetic.feature_store(paths.features("mfcc"), utterances, copies=["speed_0.9", "speed_1.1"])
    return paths


@pytest.mark.stage
def test_a_cell_on_copies_leaves_what_it_says_of_them_for_every_fold_and_as_a_whole(root, copied):
    experiment, seeds = MemoryExperiment(), TrainingParams(seeds=(0, 1))
    make_runner(root, copied, experiment, seeds, copies=SHARES).run()
    out = Project(root).trained(CELL)
    table = pd.read_parquet(out.copies)
    assert len(table[["fold", "seed", "copy"]].drop_duplicates()) == 3 * 2 * 2
    for fold in (1, 2, 3):
        own = pd.read_parquet(out.fold(fold, 1).copies)
        rows = table.query("fold == @fold and seed == 1").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, own)
    for run in experiment.runs.values():
        assert "copies.parquet" in run.artifacts


@pytest.mark.stage
def test_the_parent_is_scored_under_every_copy_and_restored_so(root, copied):
    experiment = MemoryExperiment()
    runner = make_runner(root, copied, experiment, copies=SHARES)
    runner.run()
    trained, scored = Project(root).trained(CELL), Project(root).run(CELL)
    speaker_of = runner.inputs.speaker_of
    scored_cell.publish(trained, scored, speaker_of, lambda *_, **__: experiment)
    parent, *nested = experiment.runs.values()
    own = pd.read_parquet(trained.predictions).query("part == 'test'").set_index("utterance_id")
    for copy, rows in pd.read_parquet(trained.copies).groupby("copy"):
        rows = rows.set_index("utterance_id").loc[own.index]
        recalls = (rows["truth"] == rows["prediction"]).groupby(rows["truth"]).mean()
        assert parent.metrics[f"test/uar_{copy}"] == [(0, pytest.approx(recalls.mean()))]
        stays = (rows["prediction"] == own["prediction"]).mean()
        assert parent.metrics[f"test/stability_{copy}"] == [(0, pytest.approx(stays))]
    assert not any("stability" in key for run in nested for key in run.metrics)
    again = MemoryExperiment()
    cells.restore(scored, lambda *_, **__: again)
    assert next(iter(again.runs.values())).metrics == parent.metrics


@pytest.mark.stage
def test_a_fold_that_lost_what_it_said_of_copies_is_trained_again(root, copied, caplog):
    make_runner(root, copied, MemoryExperiment()).run()
    kept = next(Project(root).kept_folds.iterdir())
    before = (kept / "copies.parquet").read_bytes()
    (kept / "copies.parquet").unlink()
    make_runner(root, copied, MemoryExperiment()).run()
    assert f"{kept}: files are missing, so it is trained again" in caplog.text
    assert (kept / "copies.parquet").read_bytes() == before


@pytest.mark.stage
def test_a_cell_without_copies_finds_the_folds_from_before_its_recipe_had_any(
    root, copied, monkeypatch
):
    make_runner(root, copied, MemoryExperiment()).run()
    twin = make_runner(root, copied, MemoryExperiment(), variant=variants.WITHOUT_COPIES)
    monkeypatch.delattr(runners.CellRunner, "_train")
    twin.run()
    first, second = (Project(root).trained(CELL, name) for name in ("", variants.WITHOUT_COPIES))
    assert second.copies.read_bytes() == first.copies.read_bytes()
    assert cells.read(second).experiment == "ser/demo/session/without_copies"
    untuned = make_runner(root, copied, MemoryExperiment(), variant=variants.UNTUNED)
    assert set(untuned.keys().values()).isdisjoint(twin.keys().values())
