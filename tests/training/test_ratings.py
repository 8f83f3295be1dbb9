"""A cell whose model rates too: `losses.ccc.targets: vad` through the trainer."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ser import components, concordance, emotion
from ser.nn.ratings import RatedModel
from ser.training import fold as folds
from ser.training import plan as plans
from ser.training.checkpoint import Checkpoint
from ser.training.predict import predict
from tests.rounding import FORMULA
from tests.training.support import CAME_FROM, killed, make_context, make_plan

pytestmark = pytest.mark.numeric

PREDICTED = [f"predicted_{dimension}" for dimension in emotion.DIMENSIONS]
TRUTH = list(emotion.DIMENSIONS)


def vad_plan(loss_params=None, **recipe):
    params = components.load("ser.losses", "ccc").Params(targets="vad", **(loss_params or {}))
    return dataclasses.replace(make_plan(**recipe), loss="ccc", loss_params=params)


def train(data, loss_params=None, checkpoint=None, **recipe):
    plan = vad_plan(loss_params, **recipe)
    return folds.train_fold(plan, data, make_context(checkpoint=checkpoint))


def of_part(result, part):
    return result.predictions[result.predictions["part"] == part]


def test_emotions_and_ratings_of_unseen_speakers_are_learnt(rated_data):
    result = train(rated_data, num_epochs=20, patience=20)
    test = of_part(result, "test")
    assert (test["truth"] == test["prediction"]).mean() > 0.75
    scores = concordance.rating_scores(truth=test[TRUTH], prediction=test[PREDICTED])
    for dimension in emotion.DIMENSIONS:
        # The emotions are learnt first, and they alone choose the epoch.
        assert scores[f"ccc_{dimension}"] > 0.3
        assert scores[f"mae_{dimension}"] < 0.9
        assert result.fit.history[0][f"dev/ccc_{dimension}"] < 0.2
        assert result.fit.history[-1][f"dev/ccc_{dimension}"] > 0.7


def test_the_curves_are_over_the_whole_dev_part_and_no_mean_over_batches(rated_data):
    result = train(rated_data, num_epochs=5, batch_size=4)
    dev = of_part(result, "dev")
    chosen = result.fit.history[result.fit.best_epoch - 1]
    for dimension in emotion.DIMENSIONS:
        rated = dev.dropna(subset=dimension)
        pair = {"truth": rated[dimension], "prediction": rated[f"predicted_{dimension}"]}
        assert chosen[f"dev/ccc_{dimension}"] == pytest.approx(concordance.ccc(**pair), abs=FORMULA)
        assert chosen[f"dev/mae_{dimension}"] == pytest.approx(concordance.mae(**pair), abs=FORMULA)
    assert dev["dominance"].isna().any()


def test_the_dev_loss_is_that_of_the_whole_part(rated_data):
    result = train(rated_data, {"weight": 1.0}, num_epochs=3, batch_size=4)
    chosen = result.fit.history[result.fit.best_epoch - 1]
    mean = np.mean([chosen[f"dev/ccc_{dimension}"] for dimension in emotion.DIMENSIONS])
    assert chosen["dev/loss"] == pytest.approx(1.0 - mean, abs=FORMULA)


def test_the_table_holds_what_raters_said_in_points_of_the_scale(rated_data):
    result = train(rated_data, num_epochs=1)
    for row in result.predictions.itertuples():
        expected = rated_data.rating_of[row.utterance_id]
        np.testing.assert_array_equal([row.valence, row.arousal, row.dominance], expected)
    assert result.predictions[PREDICTED].notna().all(axis=None)
    # Untrained answers lie near the middle of the scale already.
    assert result.predictions[PREDICTED].sub(3.0).abs().max(axis=None) < 2.0


def test_the_epoch_is_chosen_by_the_dev_uar_alone(rated_data):
    fit = train(rated_data, num_epochs=6, learning_rate=0.003).fit
    uars = [row["dev/uar"] for row in fit.history]
    assert fit.best_epoch == 1 + int(np.argmax(uars))
    assert fit.dev_score == max(uars)


def test_corrupting_every_test_rating_changes_no_weight_and_no_choice(rated_data):
    test_ids = set(rated_data.fold.test)
    corrupted = dataclasses.replace(
        rated_data,
        rating_of={
            id_: (5.0, 1.0, float("nan")) if id_ in test_ids else ratings
            for id_, ratings in rated_data.rating_of.items()
        },
    )
    honest, wrong = train(rated_data), train(corrupted)
    assert honest.fit.weights.keys() == wrong.fit.weights.keys()
    for name, tensor in honest.fit.weights.items():
        assert torch.equal(tensor, wrong.fit.weights[name]), name
    assert honest.fit.best_epoch == wrong.fit.best_epoch
    assert honest.fit.history == wrong.fit.history
    untouched = [column for column in honest.predictions if column not in TRUTH]
    assert honest.predictions[untouched].equals(wrong.predictions[untouched])
    is_test = honest.predictions["part"] == "test"
    assert (honest.predictions["valence"] != wrong.predictions["valence"]).equals(is_test)


def test_ratings_of_the_train_part_decide_the_weights(rated_data):
    swapped = dataclasses.replace(
        rated_data,
        rating_of={id_: ratings[::-1] for id_, ratings in rated_data.rating_of.items()},
    )
    first, second = (train(data, num_epochs=1).fit.weights for data in (rated_data, swapped))
    assert not torch.equal(first["model.embedding.weight"], second["model.embedding.weight"])


def test_the_second_head_is_trained_saved_and_predicts_alike_when_loaded(rated_data, tmp_path):
    plan = vad_plan(num_epochs=3)
    result = folds.train_fold(plan, rated_data, make_context())
    saved = folds.save(result, tmp_path / "fold", fold=1, seed=0, came_from=CAME_FROM)
    model = plans.build_model(
        plan, feature=rated_data.store.spec, head="linear", num_ratings=plan.num_ratings
    )
    assert isinstance(model, RatedModel)
    model.load_state_dict(load_file(saved.weights))
    test = rated_data.part("test", result.statistics)
    outputs = predict(model, test, batch_size=7, max_frames=None, device=torch.device("cpu"))
    table = of_part(result, "test").set_index("utterance_id").loc[list(outputs.ids)]
    np.testing.assert_allclose(outputs.predicted_ratings(), table[PREDICTED], atol=FORMULA)


def test_an_interrupted_fit_ends_with_the_bytes_of_an_uninterrupted_one(
    rated_data, tmp_path, monkeypatch
):
    whole = train(rated_data, num_epochs=3)
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch):
        train(rated_data, checkpoint=checkpoint, num_epochs=3)
    resumed = train(rated_data, checkpoint=checkpoint, num_epochs=3)
    assert whole.fit.history == resumed.fit.history
    assert whole.predictions.equals(resumed.predictions)


@pytest.mark.parametrize("name", components.names("ser.losses"))
def test_a_loss_on_categories_takes_no_notice_of_ratings(name, rated_data):
    params = components.load("ser.losses", name).Params()
    plan = dataclasses.replace(make_plan(num_epochs=1), loss=name, loss_params=params)
    without = dataclasses.replace(rated_data, rating_of=None)
    first, second = (folds.train_fold(plan, data, make_context()) for data in (rated_data, without))
    assert plan.num_ratings == 0
    assert first.fit.history == second.fit.history
    assert first.predictions.equals(second.predictions)
    assert not set(PREDICTED + TRUTH) & set(first.predictions.columns)
