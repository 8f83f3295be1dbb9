"""Shares of votes through the trainer: `training.targets: soft`."""

import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from ser import components
from ser.losses import cross_entropy
from ser.training import fold as folds
from ser.training import model_selection
from ser.training.recipe import TrainingParams
from ser.training.refit import refit
from tests.rounding import FORMULA
from tests.training.support import make_context, make_plan

pytestmark = pytest.mark.numeric

LEARNING = [
    name
    for name in components.names("ser.losses")
    if components.load("ser.losses", name)
    .build(components.load("ser.losses", name).Params(), num_classes=4, class_weights=None)
    .learns_shares
]


def plan_of(loss="cross_entropy", balance="class_weights", **recipe):
    params = components.load("ser.losses", loss).Params()
    training = TrainingParams(targets="soft", balance=balance)
    return dataclasses.replace(make_plan(training, **recipe), loss=loss, loss_params=params)


def train(data, *args, **recipe):
    return folds.train_fold(plan_of(*args, **recipe), data, make_context())


def agreeing(data):
    """The same data, every utterance's votes all for its label."""
    certain = {id_: tuple(np.eye(4)[label].tolist()) for id_, label in data.label_of.items()}
    return dataclasses.replace(data, share_of=certain)


def hard(data):
    return dataclasses.replace(data, share_of=None)


def test_every_loss_but_aam_learns_shares():
    assert set(components.names("ser.losses")) - set(LEARNING) == {"aam"}


@pytest.mark.parametrize("loss", LEARNING)
@pytest.mark.parametrize("balance", ["none", "class_weights"])
def test_where_all_raters_agree_the_weights_are_those_of_labels(loss, balance, voted_data):
    options = {"num_epochs": 3, "mixup": 0.4}
    soft = train(agreeing(voted_data), loss, balance, **options).fit
    labels = train(hard(voted_data), loss, balance, **options).fit
    for name, tensor in labels.weights.items():
        torch.testing.assert_close(soft.weights[name], tensor, rtol=0, atol=1e-6, msg=name)
    assert soft.best_epoch == labels.best_epoch
    assert soft.history[-1]["dev/loss"] == pytest.approx(labels.history[-1]["dev/loss"], abs=1e-6)


@pytest.mark.parametrize("loss", LEARNING)
def test_votes_of_the_train_part_decide_the_weights(loss, voted_data):
    soft, labels = (train(d, loss, num_epochs=1).fit for d in (voted_data, hard(voted_data)))
    assert not torch.equal(soft.weights["embedding.weight"], labels.weights["embedding.weight"])


def test_corrupting_every_test_vote_changes_no_weight_and_no_choice(voted_data):
    wrong = {
        id_: (0.0, 0.0, 0.5, 0.5) if id_ in voted_data.fold.test else shares
        for id_, shares in voted_data.share_of.items()
    }
    honest = train(voted_data, num_epochs=2)
    other = train(dataclasses.replace(voted_data, share_of=wrong), num_epochs=2)
    assert honest.fit.history == other.fit.history
    assert honest.predictions.equals(other.predictions)
    for name, tensor in honest.fit.weights.items():
        assert torch.equal(tensor, other.fit.weights[name]), name


def test_the_epoch_is_chosen_by_the_labels_and_truth_is_the_label(voted_data):
    result = train(voted_data, num_epochs=6, learning_rate=0.003)
    uars = [row["dev/uar"] for row in result.fit.history]
    assert result.fit.best_epoch == 1 + int(np.argmax(uars))
    dev = result.predictions[result.predictions["part"] == "dev"]
    emotions = [name.removeprefix("probability_") for name in dev if "probability_" in name]
    truth = [emotions[voted_data.label_of[id_]] for id_ in dev["utterance_id"]]
    assert dev["truth"].tolist() == truth
    recalls = [(rows["prediction"] == rows["truth"]).mean() for _, rows in dev.groupby("truth")]
    assert result.fit.dev_score == pytest.approx(np.mean(recalls))


def test_the_dev_loss_is_the_loss_on_the_shares_of_dev(voted_data):
    result = train(voted_data, balance="none", num_epochs=1)
    dev = result.predictions[result.predictions["part"] == "dev"]
    said = dev.filter(like="probability_").to_numpy()
    shares = np.array([voted_data.share_of[id_] for id_ in dev["utterance_id"]])
    expected = -(shares * np.log(said)).sum(axis=1).mean()
    assert result.fit.history[0]["dev/loss"] == pytest.approx(expected, abs=FORMULA)


def test_classes_are_balanced_by_what_the_shares_of_train_come_to(voted_data, monkeypatch):
    given = []
    build = cross_entropy.build
    monkeypatch.setattr(
        cross_entropy,
        "build",
        lambda params, *, num_classes, class_weights: (
            given.append(class_weights)
            or build(params, num_classes=num_classes, class_weights=class_weights)
        ),
    )
    train(voted_data, num_epochs=1)
    shares = np.array([voted_data.share_of[id_] for id_ in voted_data.fold.train])
    assert shares.sum(axis=0).round().tolist() != [12.0] * 4
    expected = len(shares) / (4 * shares.sum(axis=0))
    np.testing.assert_allclose(given[0].numpy(), expected, rtol=1e-6)
    # Every class then weighs alike in the loss.
    np.testing.assert_allclose(expected * shares.sum(axis=0), len(shares) / 4)


def test_the_sampler_draws_by_the_mean_weight_of_an_utterances_votes():
    truth = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    weights = torch.tensor([0.8, 4 / 3])
    found = model_selection._row_weights(truth, weights, "weighted_sampler")
    np.testing.assert_allclose(found, [0.8, (0.8 + 4 / 3) / 2, 4 / 3, 0.8], rtol=1e-6)
    assert model_selection._row_weights(truth, weights, "class_weights") is None


def test_a_refit_learns_the_votes_of_both_parts(voted_data):
    plan, context = plan_of(num_epochs=2), make_context()
    chosen = model_selection.select(plan, voted_data.development, context).fit
    context = dataclasses.replace(context, accelerator=Accelerator(cpu=True))
    again = refit(plan, voted_data.development, chosen, context)
    shares = np.array([voted_data.share_of[id_] for id_ in again.train.ids])
    np.testing.assert_array_equal(again.train.shares, shares)
    assert set(again.train.ids) == {*voted_data.fold.train, *voted_data.fold.dev}
