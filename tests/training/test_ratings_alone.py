"""A corpus of ratings without classes, through the trainer."""

import dataclasses

import numpy as np
import pytest

from ser import concordance, emotion, predictions
from ser.losses import ccc
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from tests.rounding import FORMULA
from tests.training.support import killed, make_context, make_plan

pytestmark = pytest.mark.numeric

TRUTH, PREDICTED = list(predictions.RATINGS), list(predictions.PREDICTED_RATINGS)


def train(data, checkpoint=None, **recipe):
    plan = dataclasses.replace(
        make_plan(**recipe), loss="ccc", loss_params=ccc.Params(targets="ratings"), emotions=()
    )
    data = dataclasses.replace(data, label_of=dict.fromkeys(data.label_of, 0))
    return folds.train_fold(plan, data, make_context(checkpoint=checkpoint))


def test_ratings_of_unseen_speakers_are_learnt(rated_data):
    result = train(rated_data, num_epochs=20, patience=20)
    test = result.predictions[result.predictions["part"] == "test"]
    scores = concordance.rating_scores(truth=test[TRUTH], prediction=test[PREDICTED])
    for dimension in emotion.DIMENSIONS:
        assert scores[f"ccc_{dimension}"] > 0.5


def test_the_table_has_ratings_and_no_classes(rated_data):
    result = train(rated_data, num_epochs=1)
    keys = ["utterance_id", "fold", "seed", "part"]
    assert list(result.predictions) == [*keys, *TRUTH, *PREDICTED]


def test_the_epoch_is_chosen_by_the_mean_ccc_of_dev(rated_data):
    result = train(rated_data, num_epochs=6, patience=6)
    history = result.fit.history
    means = [np.mean([row[f"dev/ccc_{name}"] for name in TRUTH]) for row in history]
    np.testing.assert_allclose([row["dev/ccc"] for row in history], means, atol=FORMULA)
    assert result.fit.best_epoch == int(np.argmax(means)) + 1
    assert result.fit.dev_score == pytest.approx(max(means))
    assert "dev/uar" not in history[0]
    chosen = history[result.fit.best_epoch - 1]
    assert chosen["dev/loss"] == pytest.approx(1.0 - chosen["dev/ccc"], abs=FORMULA)


def test_a_resumed_fit_ends_with_the_same_bytes(rated_data, tmp_path, monkeypatch):
    whole = train(rated_data, num_epochs=3)
    checkpoint = Checkpoint(tmp_path / "state", "key")
    with killed(checkpoint, monkeypatch):
        train(rated_data, checkpoint, num_epochs=3)
    resumed = train(rated_data, checkpoint, num_epochs=3)
    assert resumed.predictions.equals(whole.predictions)
    assert resumed.fit.history == whole.fit.history


def test_a_refit_and_weights_of_classes_have_no_classes_to_look_at(rated_data):
    from ser.training.recipe import TrainingParams

    training = TrainingParams(refit=True, balance="weighted_sampler")
    plan = dataclasses.replace(
        make_plan(training, num_epochs=2),
        loss="ccc",
        loss_params=ccc.Params(targets="ratings"),
        emotions=(),
    )
    result = folds.train_fold(plan, rated_data, make_context())
    assert result.predictions[PREDICTED].notna().all(axis=None)
