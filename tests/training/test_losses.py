"""The losses through the trainer: what only shows once a model learns from them."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ser import components, seeding
from ser.training import fold as folds
from ser.training import model_selection
from ser.training import plan as plans
from ser.training.checkpoint import Checkpoint
from ser.training.predict import predict
from tests.rounding import FORMULA
from tests.training.support import CAME_FROM, killed, make_context, make_plan

pytestmark = pytest.mark.numeric

COSINE = "train/max_prototype_cosine"


def plan_with(name, loss_params=None, **recipe):
    """The tiny cell with another loss."""
    params = components.load("ser.losses", name).Params(**(loss_params or {}))
    return dataclasses.replace(make_plan(**recipe), loss=name, loss_params=params)


@pytest.mark.parametrize("name", components.names("ser.losses"))
def test_every_loss_learns_what_the_features_tell(name, fold_data):
    plan = plan_with(name, num_epochs=12, patience=12)
    table = folds.train_fold(plan, fold_data, make_context()).predictions
    test = table[table["part"] == "test"]
    assert (test["truth"] == test["prediction"]).mean() > 0.75


def test_the_prototypes_are_trained_and_saved(fold_data, tmp_path):
    plan = plan_with("aam", num_epochs=2)
    result = folds.train_fold(plan, fold_data, make_context())
    saved = folds.save(result, tmp_path / "fold", fold=1, seed=0, came_from=CAME_FROM)
    seeding.seed_everything(seeding.derive(0, "weights"))
    fresh = plans.build_model(plan, feature=fold_data.store.spec, head="cosine")
    drawn, trained = fresh.head.prototypes, load_file(saved.weights)["head.prototypes"]
    assert trained.shape == (4, 8)
    # AdamW's first steps are as long as the learning rate: every entry has had a gradient.
    assert (trained - drawn).abs().min() > 1e-4


def test_predictions_come_from_the_trained_prototypes_without_a_margin(fold_data):
    plan = plan_with("aam", {"margin_rad": 0.3, "scale": 12.0})
    result = folds.train_fold(plan, fold_data, make_context())
    model = plans.build_model(plan, feature=fold_data.store.spec, head="cosine")
    model.load_state_dict(result.fit.weights)
    test = fold_data.part("test", result.statistics)
    outputs = predict(model, test, batch_size=8, max_frames=None, device=torch.device("cpu"))
    embedding = outputs.output.embedding.double().numpy()
    prototypes = result.fit.weights["head.prototypes"].double().numpy()
    angles = embedding @ prototypes.T
    angles /= np.linalg.norm(embedding, axis=1, keepdims=True)
    angles /= np.linalg.norm(prototypes, axis=1)
    expected = np.exp(12.0 * angles)
    expected /= expected.sum(axis=1, keepdims=True)
    table = result.predictions[result.predictions["part"] == "test"].set_index("utterance_id")
    columns = [f"probability_{emotion}" for emotion in plan.emotions]
    np.testing.assert_allclose(table.loc[list(outputs.ids), columns], expected, atol=FORMULA)


def test_the_margin_warms_up_and_its_curves_are_recorded(fold_data):
    plan = plan_with("aam", {"margin_rad": 0.4, "warmup_epochs": 2}, patience=9)
    history = folds.train_fold(plan, fold_data, make_context()).fit.history
    assert [row["dev/margin_rad"] for row in history] == pytest.approx([0.0, 0.2, 0.4, 0.4])
    assert all(0 < row["dev/mean_target_angle_rad"] < np.pi for row in history)
    assert all(-1 <= row[COSINE] <= 1 for row in history)
    plain = folds.train_fold(make_plan(num_epochs=1), fold_data, make_context()).fit.history[0]
    assert not {COSINE, "dev/mean_target_angle_rad"} & plain.keys()


def test_an_interrupted_warm_up_ends_with_the_bytes_of_an_uninterrupted_one(
    fold_data, tmp_path, monkeypatch
):
    plan = plan_with("aam", {"margin_rad": 0.4, "warmup_epochs": 3}, num_epochs=4, patience=9)
    whole = folds.train_fold(plan, fold_data, make_context())
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch):
        folds.train_fold(plan, fold_data, make_context(checkpoint=checkpoint))
    resumed = folds.train_fold(plan, fold_data, make_context(checkpoint=checkpoint))
    assert whole.fit.history == resumed.fit.history
    assert whole.predictions.equals(resumed.predictions)


@pytest.fixture
def collapsed_start(monkeypatch):
    """Models that begin with the prototypes of classes 1 and 3 in one direction."""
    build = plans.build_model

    def build_collapsed(*args, **kwargs):
        model = build(*args, **kwargs)
        with torch.no_grad():
            model.head.prototypes.copy_(2 * torch.eye(4, 8))
            model.head.prototypes[3] = 3 * model.head.prototypes[1]
        return model

    monkeypatch.setattr(model_selection, "build_model", build_collapsed)


def test_collapsed_prototypes_are_warned_of_once(fold_data, caplog, collapsed_start):
    plan = plan_with("aam", learning_rate=1e-6, num_epochs=3)
    with caplog.at_level(logging.WARNING, logger="ser.training.fit"):
        history = folds.train_fold(plan, fold_data, make_context()).fit.history
    assert all(row[COSINE] > 0.99 for row in history)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("epoch 1: prototypes collapsed: cosine 1.000")
    assert "between happy and sad" in message


def test_prototypes_that_keep_apart_are_not_warned_of(fold_data, caplog):
    with caplog.at_level(logging.WARNING, logger="ser.training.fit"):
        history = folds.train_fold(plan_with("aam"), fold_data, make_context()).fit.history
    assert all(row[COSINE] < 0.95 for row in history)
    assert not caplog.records
