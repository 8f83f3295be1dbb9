import dataclasses

import numpy as np
import pytest
import torch

from ser import components
from ser.batch import Batch, ModelOutput
from ser.training import fold as folds
from ser.training import mixup
from ser.training.checkpoint import Checkpoint
from ser.training.mixup import Mixture
from tests.reference import losses as reference
from tests.rounding import FORMULA
from tests.training.support import killed, make_context, make_plan

pytestmark = pytest.mark.numeric

#: Name of a run -> the loss and its params; every loss once as it is by default.
VARIANTS = {name: (name, {}) for name in components.names("ser.losses")}
VARIANTS["ccc-vad"] = ("ccc", {"targets": "vad"})

WEIGHTS = [0.5, 1.0, 2.0, 1.5]


def batch(lengths=(7, 3, 5), num_bins=2, ratings=None):
    torch.manual_seed(3)
    inputs = torch.zeros(len(lengths), max(lengths), num_bins)
    for row, length in enumerate(lengths):
        inputs[row, :length] = torch.randn(length, num_bins)
    ids = tuple(f"u{row}" for row in range(len(lengths)))
    labels = torch.arange(len(lengths)) % 4
    return Batch(ids, inputs, torch.tensor(lengths), labels, ratings)


def rated(size):
    torch.manual_seed(5)
    return 1.0 + 4.0 * torch.rand(size, 3)


def build(name, class_weights=None):
    component, params = VARIANTS[name]
    module = components.load("ser.losses", component)
    return module.build(module.Params(**params), num_classes=4, class_weights=class_weights)


def output(size=6):
    """What any head could say: logits in [-1, 1], as cosines are; leaf and output."""
    torch.manual_seed(1)
    leaf = torch.rand(size, 4).mul(1.8).sub(0.9).requires_grad_()
    return leaf, ModelOutput(torch.zeros(size, 8), leaf, 3.0 + 2.0 * leaf[:, :3])


def test_without_mixup_nothing_is_drawn_and_the_batch_is_the_same():
    given = batch()
    before = torch.get_rng_state()
    mixture = mixup.draw(given, 0.0)
    assert mixture is None
    assert torch.equal(torch.get_rng_state(), before)
    assert mixup.mix(given, mixture) is given


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_lambda_is_of_the_beta_distribution(alpha):
    torch.manual_seed(0)
    given = batch()
    shares = np.array([mixup.draw(given, alpha).share for _ in range(4000)])
    assert 0.0 <= shares.min() < shares.max() <= 1.0
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_every_row_is_one_rows_partner_and_the_same_random_state_gives_the_same():
    given = batch((4,) * 8)
    torch.manual_seed(0)
    first, second = mixup.draw(given, 0.4), mixup.draw(given, 0.4)
    assert sorted(first.partners.tolist()) == list(range(8))
    assert (first.partners.tolist(), first.share) != (second.partners.tolist(), second.share)
    torch.manual_seed(0)
    again = mixup.draw(given, 0.4)
    assert (again.partners.tolist(), again.share) == (first.partners.tolist(), first.share)


def test_a_shorter_partner_is_repeated_and_a_longer_one_is_cut():
    given = batch((7, 3, 5))
    mixed = mixup.mix(given, Mixture(torch.tensor([1, 2, 0]), 0.7))
    rows = [given.inputs[row, :length].numpy() for row, length in enumerate((7, 3, 5))]
    repeated = np.concatenate([rows[1], rows[1], rows[1][:1]])
    for row, partner in enumerate((repeated, rows[2][:3], rows[0][:5])):
        found = mixed.inputs[row, : len(partner)].numpy()
        np.testing.assert_allclose(found, 0.7 * rows[row] + 0.3 * partner, atol=FORMULA)
    # No frame more than max_frames allowed, and the truth of the rows is where it was.
    assert mixed.inputs.shape == given.inputs.shape
    assert mixed.lengths is given.lengths
    assert (mixed.ids, mixed.labels is given.labels) == (given.ids, True)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("class_weights", [None, torch.tensor(WEIGHTS)])
def test_with_lambda_1_inputs_loss_and_gradient_are_the_plain_ones_bit_by_bit(name, class_weights):
    given = batch((4, 6, 5, 4, 6, 3), ratings=rated(6))
    whole = Mixture(torch.tensor([3, 2, 0, 1, 5, 4]), 1.0)
    assert torch.equal(mixup.mix(given, whole).inputs, given.inputs)
    loss, gradients = build(name, class_weights), []
    for mixture in (None, whole):
        leaf, said = output()
        value = mixup.loss_of(loss, said, given, mixture)
        value.backward()
        gradients.append((value, leaf.grad))
    (plain, plain_gradient), (mixed, gradient) = gradients
    assert torch.equal(plain, mixed)
    assert torch.equal(plain_gradient, gradient)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "formula", "params"),
    [
        ("cross_entropy", reference.cross_entropy, {}),
        ("label_smoothing", reference.label_smoothing, {"epsilon": 0.1}),
        ("focal", reference.focal, {"gamma": 2.0}),
        ("aam", reference.aam, {"margin": 0.2, "scale": 16.0}),
        ("ccc", reference.ccc, {"weight": 0.5}),
    ],
)
def test_every_loss_is_mixed_from_its_definition_at_both_truths(name, formula, params):
    module = components.load("ser.losses", name)
    given = {"margin": "margin_rad"}
    chosen = module.Params(**{given.get(key, key): value for key, value in params.items()})
    loss = module.build(chosen, num_classes=4, class_weights=torch.tensor(WEIGHTS))
    _, said = output()
    truth = batch((4,) * 6)
    mixture = Mixture(torch.tensor([3, 2, 0, 1, 5, 4]), 0.3)
    logits, labels = said.logits.tolist(), truth.labels.tolist()
    others = [labels[row] for row in mixture.partners.tolist()]
    expected = 0.3 * formula(logits, labels, WEIGHTS, **params)
    expected += 0.7 * formula(logits, others, WEIGHTS, **params)
    found = float(mixup.loss_of(loss, said, truth, mixture).detach())
    assert found == pytest.approx(expected, rel=FORMULA, abs=FORMULA)


def test_cross_entropy_of_mixed_truths_is_that_of_the_mixed_labels():
    _, said = output()
    truth = batch((4,) * 6)
    mixture = Mixture(torch.tensor([3, 2, 0, 1, 5, 4]), 0.3)
    one_hot = torch.eye(4)
    soft = 0.3 * one_hot[truth.labels] + 0.7 * one_hot[truth.labels[mixture.partners]]
    expected = -(soft * said.logits.log_softmax(dim=1)).sum(dim=1).mean()
    found = mixup.loss_of(build("cross_entropy"), said, truth, mixture)
    torch.testing.assert_close(found, expected)


def test_partners_without_a_rating_pull_at_nothing():
    gaps = rated(6)
    gaps[1:3, 0] = torch.nan
    gaps[4] = torch.nan
    truth = batch((4,) * 6, ratings=gaps)
    partners = torch.tensor([3, 2, 0, 1, 5, 4])
    loss = build("ccc-vad")
    leaf, said = output()
    value = mixup.loss_of(loss, said, truth, Mixture(partners, 0.3))
    value.backward()
    assert value.isfinite()
    assert leaf.grad.isfinite().all()
    _, said = output()
    sides = (truth.labels, gaps), (truth.labels[partners], gaps[partners])
    own, other = (loss(said, labels, ratings) for labels, ratings in sides)
    torch.testing.assert_close(value, 0.3 * own + 0.7 * other)


def plan_with(name, **recipe):
    component, params = VARIANTS[name]
    params = components.load("ser.losses", component).Params(**params)
    return dataclasses.replace(make_plan(**recipe), loss=component, loss_params=params)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_loss_learns_from_mixtures(name, rated_data):
    plan = plan_with(name, num_epochs=20, patience=20, mixup=0.3)
    table = folds.train_fold(plan, rated_data, make_context()).predictions
    test = table[table["part"] == "test"]
    assert (test["truth"] == test["prediction"]).mean() > 0.7


def test_mixtures_change_training_and_are_the_same_for_the_same_seed(fold_data):
    plain, mixed, again = (
        folds.train_fold(make_plan(num_epochs=2, mixup=alpha), fold_data, make_context()).fit
        for alpha in (0.0, 0.5, 0.5)
    )
    assert mixed.history == again.history
    assert mixed.history[0]["train/loss"] != plain.history[0]["train/loss"]


def test_an_interrupted_fit_ends_with_the_bytes_of_an_uninterrupted_one(
    fold_data, tmp_path, monkeypatch
):
    plan = make_plan(num_epochs=4, mixup=0.5, accumulation=2, max_frames=60, feature_noise=0.1)
    whole = folds.train_fold(plan, fold_data, make_context())
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch, after=2):
        folds.train_fold(plan, fold_data, make_context(checkpoint=checkpoint))
    resumed = folds.train_fold(plan, fold_data, make_context(checkpoint=checkpoint))
    assert whole.fit.history == resumed.fit.history
    assert whole.predictions.equals(resumed.predictions)


def test_the_gradient_of_accumulated_mixtures_is_that_of_one_batch(fold_data, monkeypatch):
    """With the same shares for all, and each row its own partner, batches do not matter."""
    monkeypatch.setattr(mixup, "draw", lambda given, _: Mixture(torch.arange(len(given.ids)), 0.25))

    def norm(**recipe):
        plan = make_plan(num_epochs=1, mixup=0.5, **recipe)
        training = plan.training.model_copy(update={"balance": "none"})
        no_dropout = plan.model_params.model_copy(update={"dropout": 0.0})
        plan = dataclasses.replace(plan, training=training, model_params=no_dropout)
        history = folds.train_fold(plan, fold_data, make_context()).fit.history
        return history[0]["train/gradient_norm"]

    assert norm(batch_size=24, accumulation=2) == pytest.approx(norm(batch_size=48), rel=1e-5)
