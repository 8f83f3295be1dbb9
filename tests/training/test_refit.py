"""A fold that is trained again on train and dev once dev has chosen."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ser.contracts import RunSpec
from ser.features.dataset import fit_statistics
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training import fold as folds
from ser.training import model_selection
from ser.training import plan as plans
from ser.training.checkpoint import Checkpoint
from ser.training.predict import predict
from ser.training.recipe import TrainingParams
from tests.training.support import CAME_FROM, killed, make_context, make_plan

pytestmark = pytest.mark.numeric

CURVES = ("refit/loss", "refit/gradient_norm")


def refitting(**recipe):
    """A plan whose best epoch is neither its first nor its last."""
    recipe = {"num_epochs": 5, "learning_rate": 0.02, **recipe}
    return make_plan(TrainingParams(refit=True), **recipe)


def choosing(**recipe):
    plan = refitting(**recipe)
    return dataclasses.replace(plan, training=TrainingParams())


def train(plan, fold_data, *checkpoints):
    context = make_context()
    if checkpoints:
        first, second = checkpoints
        context = dataclasses.replace(context, checkpoint=first, refit_checkpoint=second)
    return folds.train_fold(plan, fold_data, context)


def of_part(result, part):
    return result.predictions[result.predictions["part"] == part].reset_index(drop=True)


def same_weights(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@pytest.fixture
def chosen(fold_data):
    """What the fold ends with without a refit; its best epoch is in the middle."""
    result = train(choosing(), fold_data)
    assert 1 < result.fit.best_epoch < len(result.fit.history)
    return result


def test_the_weights_are_those_of_a_training_on_both_parts_cut_at_the_chosen_epoch(
    fold_data, chosen
):
    data = fold_data.development
    both = dataclasses.replace(data, train=tuple(sorted(data.train + data.dev)), dev=())
    context = dataclasses.replace(make_context(), last_epoch=chosen.fit.best_epoch)
    expected = model_selection.select(choosing(), both, context)
    result = train(refitting(), fold_data)
    assert same_weights(result.fit.weights, expected.fit.weights)
    assert not same_weights(result.fit.weights, chosen.fit.weights)
    together = fit_statistics(fold_data.store, both.train)
    np.testing.assert_array_equal(result.statistics.mean, together.mean)
    assert not np.array_equal(result.statistics.mean, chosen.statistics.mean)


def test_class_weights_are_counted_on_both_parts(fold_data, monkeypatch):
    counted = []
    count = model_selection._class_weights

    def watched(truth):
        counted.append(len(truth))
        return count(truth)

    monkeypatch.setattr(model_selection, "_class_weights", watched)
    train(refitting(num_epochs=1), fold_data)
    development = fold_data.development
    num_train, num_dev = len(development.train), len(development.dev)
    assert counted == [num_train, num_train + num_dev]


def test_what_dev_chose_stays_and_so_do_the_predictions_of_dev(fold_data, chosen):
    result = train(refitting(), fold_data)
    assert result.fit.best_epoch == chosen.fit.best_epoch
    assert result.fit.dev_score == chosen.fit.dev_score
    assert of_part(result, "dev").equals(of_part(chosen, "dev"))
    assert not of_part(result, "test").equals(of_part(chosen, "test"))


def test_the_history_has_the_refits_curves_as_far_as_it_went(fold_data, chosen):
    history = train(refitting(), fold_data).fit.history
    plain = [{key: row[key] for key in row if key not in CURVES} for row in history]
    assert plain == list(chosen.fit.history)
    best = chosen.fit.best_epoch
    assert all(set(CURVES) <= row.keys() for row in history[:best])
    assert not any(set(CURVES) & row.keys() for row in history[best:])
    assert history[best - 1]["refit/loss"] < history[0]["refit/loss"]


def test_test_is_predicted_by_the_weights_that_are_saved(fold_data, tmp_path):
    plan = refitting()
    result = train(plan, fold_data)
    saved = folds.save(result, tmp_path / "fold", fold=1, seed=0, came_from=CAME_FROM)
    model = plans.build_model(plan, feature=fold_data.store.spec, head="linear")
    model.load_state_dict(load_file(saved.weights))
    test = fold_data.part("test", result.statistics)
    outputs = predict(model, test, batch_size=8, max_frames=None, device=torch.device("cpu"))
    columns = [c for c in result.predictions if c.startswith("probability_")]
    np.testing.assert_array_equal(of_part(result, "test")[columns], outputs.probabilities(1.0))
    found = saved.read_embeddings()["embeddings"]
    np.testing.assert_array_equal(found, outputs.output.embedding.numpy())
    read = saved.read_history()
    assert read["refit/loss"].notna().tolist() == [
        epoch <= result.fit.best_epoch for epoch in read["epoch"]
    ]


def test_corrupting_every_test_label_changes_no_weight_and_no_choice(fold_data, corrupted):
    honest, wrong = (train(refitting(), data) for data in (fold_data, corrupted))
    assert same_weights(honest.fit.weights, wrong.fit.weights)
    assert honest.fit.best_epoch == wrong.fit.best_epoch
    assert honest.fit.history == wrong.fit.history
    columns = [c for c in honest.predictions if c.startswith("probability_")]
    assert honest.predictions[columns].equals(wrong.predictions[columns])


def test_dev_labels_do_change_the_weights(fold_data):
    """The proof above could not fail if the refit read no labels but those of train."""
    dev = fold_data.fold.dev
    other = {id_: (label + (id_ in dev)) % 4 for id_, label in fold_data.label_of.items()}
    plan = refitting(num_epochs=1)
    first = train(plan, fold_data)
    second = train(plan, dataclasses.replace(fold_data, label_of=other))
    assert first.fit.best_epoch == second.fit.best_epoch == 1
    assert not same_weights(first.fit.weights, second.fit.weights)


@pytest.mark.parametrize(("phase", "after"), [(0, 1), (0, 5), (1, 1), (1, 2)])
def test_a_fit_that_is_killed_in_either_training_ends_with_the_same_bytes(
    fold_data, tmp_path, monkeypatch, phase, after
):
    whole = train(refitting(), fold_data)
    checkpoints = [Checkpoint(tmp_path / f"{n}.safetensors", f"key {n}") for n in (1, 2)]
    with killed(checkpoints[phase], monkeypatch, after=after):
        train(refitting(), fold_data, *checkpoints)
    assert checkpoints[1].path.exists() == (phase == 1)
    resumed = train(refitting(), fold_data, *checkpoints)
    for name, result in (("whole", whole), ("resumed", resumed)):
        folds.save(result, tmp_path / name, fold=1, seed=0, came_from=CAME_FROM)
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert {"model.safetensors", "history.json", "predictions.parquet"} <= set(files)
    for name in files:
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "resumed"))
        assert first == second, name


def test_a_resumed_refit_trains_no_epoch_again(fold_data, tmp_path, monkeypatch):
    checkpoints = [
        Checkpoint(tmp_path / f"{n}.safetensors", f"key {n}", every_s=0.0) for n in (1, 2)
    ]
    with killed(checkpoints[1], monkeypatch):
        train(refitting(), fold_data, *checkpoints)
    saved = []
    for checkpoint in checkpoints:
        monkeypatch.setattr(checkpoint, "save", lambda s: saved.append(len(s.progress["history"])))
    result = train(refitting(), fold_data, *checkpoints)
    assert saved == list(range(2, result.fit.best_epoch + 1))


def test_its_curves_are_tracked_once_in_the_run_of_the_fold(fold_data):
    experiment = MemoryExperiment()
    with experiment.run(RunSpec("lstm-cross_entropy", "key", {}, {})) as tracker:
        context = dataclasses.replace(make_context(), tracker=tracker)
        result = folds.train_fold(refitting(), fold_data, context)
    (run,) = experiment.runs.values()
    history = pd.DataFrame(result.fit.history)
    for key in ("train/loss", "dev/uar", *CURVES):
        assert [value for _, value in run.metrics[key]] == history[key].dropna().tolist()
        assert [step for step, _ in run.metrics[key]] == list(range(1, len(run.metrics[key]) + 1))
    assert set(run.metrics) == set(history.columns) - {"epoch"}


def test_choosing_values_never_refits(fold_data):
    """Tuning calls it for every trial."""
    plain, other = (
        model_selection.select(plan, fold_data.development, make_context()).fit
        for plan in (choosing(), refitting())
    )
    assert plain.history == other.history
    assert same_weights(plain.weights, other.weights)
