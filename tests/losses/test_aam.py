import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ser.batch import ModelOutput
from ser.losses import aam
from ser.losses.aam import AamLoss
from ser.nn.heads import CosineHead
from tests.losses.support import (
    WEIGHTS,
    given,
    of_cross_entropy,
    passes_gradcheck,
    random_batch,
    value_and_gradient,
)
from tests.reference import losses as reference
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric


def cosines(size=9):
    """Cosines over nearly all of [-1, 1], on both sides of pi - margin, and labels."""
    logits, labels = random_batch(size=size)
    return 0.99 * np.tanh(2 * logits), labels


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float32, FORMULA), (torch.float64, 1e-12)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("margin", [0.2, 0.5, 1.5])
def test_aam_equals_a_plain_loop(weights, dtype, rel, margin):
    logits, labels = cosines()
    loss = AamLoss(margin, 16.0, class_weights=None if weights is None else torch.tensor(weights))
    value = loss(given(logits, dtype), torch.tensor(labels))
    assert value.dtype == dtype
    assert float(value) == pytest.approx(
        reference.aam(logits, labels, weights or [1.0] * 4, margin, 16.0), rel=rel
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weights", [None, torch.tensor(WEIGHTS)])
def test_margin_zero_is_scaled_cosine_cross_entropy_exactly(weights, dtype):
    logits, labels = cosines()
    logits[:3] = [[1.0, -1.0, 0.0, 1.0], [-1.0, 1.0, 1.0, 0.5], [1.0, 1.0, 1.0, -1.0]]
    logits = torch.tensor(logits, dtype=dtype)
    loss = AamLoss(0.0, 16.0, class_weights=weights)
    value, gradient = value_and_gradient(loss, logits, labels, dtype)
    expected, expected_gradient = of_cross_entropy(16.0 * logits, labels, weights, dtype)
    assert torch.equal(value, expected)
    torch.testing.assert_close(gradient, 16.0 * expected_gradient)


@pytest.mark.parametrize(
    ("scale", "margin", "num_classes", "at_right_angles", "collapsed"),
    [(30.0, 0.5, 4, 15.48, 4.78), (30.0, 0.35, 4, 11.39, 2.97), (16.0, 0.3, 2, 4.74, 1.11)],
)
def test_the_constants_of_the_study_cost_what_paper_and_pencil_say(
    scale, margin, num_classes, at_right_angles, collapsed
):
    loss = AamLoss(margin, scale)
    for cosine, expected in ((0.0, at_right_angles), (1.0, collapsed)):
        output = given(torch.full((2, num_classes), cosine))
        # At a cosine of exactly 1 the clamp leaves a sine of 0.0014, times scale: 0.02.
        assert float(loss(output, torch.tensor([0, 1]))) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("margin", [0.1, 0.5, math.pi / 2])
def test_the_true_class_falls_with_its_angle_without_a_jump(margin):
    angles = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    moved = aam.with_margin(angles.cos(), margin)
    steps = moved.diff()
    assert (steps <= 1e-12).all()
    assert steps.abs().max() < 1e-3
    meeting = aam.with_margin(torch.tensor([-math.cos(margin)], dtype=torch.float64), margin)
    assert float(meeting) == pytest.approx(-1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_cosines_of_exactly_one_have_a_finite_gradient(cosine, dtype):
    logits = torch.full((2, 3), cosine)
    value, gradient = value_and_gradient(AamLoss(0.5, 30.0), logits, torch.tensor([0, 1]), dtype)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_an_embedding_on_a_prototype_passes_a_finite_gradient_to_both():
    head = CosineHead(3, 4)
    embedding = torch.stack([head.prototypes[0], -head.prototypes[1]]).detach().requires_grad_()
    value = AamLoss(0.5, 30.0)(ModelOutput(embedding, head(embedding)), torch.tensor([0, 1]))
    value.backward()
    assert embedding.grad.isfinite().all()
    assert head.prototypes.grad.isfinite().all()
    assert head.prototypes.grad.abs().sum() > 0


@pytest.mark.parametrize("labels", [[2], [1, 1, 1]])
def test_one_utterance_and_one_class_cost_what_the_loop_says(labels):
    logits, _ = cosines(size=len(labels))
    value = AamLoss(0.3, 16.0)(given(logits), torch.tensor(labels))
    expected = reference.aam(logits, labels, [1.0] * 4, 0.3, 16.0)
    assert float(value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.2])
def test_gradient_is_that_of_finite_differences(margin):
    loss = AamLoss(margin, 8.0, class_weights=torch.tensor(WEIGHTS))
    assert passes_gradcheck(loss, *cosines())


def test_the_margin_rises_linearly_and_depends_on_the_epoch_alone():
    loss = AamLoss(0.4, 16.0, warmup_epochs=4)
    assert loss.current_margin_rad == 0.4
    seen = {}
    for epoch in (5, 1, 2, 3, 4, 60):
        loss.start_epoch(epoch)
        seen[epoch] = loss.current_margin_rad
    expected = {1: 0.0, 2: 0.1, 3: 0.2, 4: 0.3, 5: 0.4, 60: 0.4}
    assert seen == pytest.approx(expected)


def test_the_margin_of_the_epoch_is_the_one_in_the_loss():
    logits, labels = cosines()
    batch = given(logits), torch.tensor(labels)
    loss = AamLoss(0.4, 16.0, warmup_epochs=4)
    loss.start_epoch(3)
    assert torch.equal(loss(*batch), AamLoss(0.2, 16.0)(*batch))


def test_without_warm_up_the_first_epoch_has_the_whole_margin():
    loss = AamLoss(0.4, 16.0, warmup_epochs=0)
    loss.start_epoch(1)
    assert loss.current_margin_rad == 0.4


def test_the_diagnosis_is_the_mean_angle_to_the_true_prototype():
    output = given([[1.0, 0.0], [0.5, 0.0], [0.9, -1.0]])
    found = AamLoss(0.2, 16.0).diagnose(output, torch.tensor([0, 0, 1]))
    angle = (0.0 + math.pi / 3 + math.pi) / 3
    assert found == pytest.approx({"mean_target_angle_rad": angle, "margin_rad": 0.2})


@pytest.mark.parametrize(
    "wrong", [{"margin_rad": 28.6}, {"margin_rad": -0.1}, {"scale": 0.0}, {"warmup_epochs": -1}]
)
def test_params_outside_their_range_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        aam.Params(**wrong)


def test_a_margin_asks_for_one_winner_so_shares_are_not_learnt():
    """The mean over votes of 0.7 and 0.3 is least where p is not 0.7: opposite prototypes."""
    angles = torch.linspace(0.0, math.pi, 2001, dtype=torch.float64)
    cosines = torch.stack([angles.cos(), -angles.cos()], dim=1)
    loss = AamLoss(0.2, 16.0)
    assert not loss.learns_shares
    cost = [
        0.7 * loss(given(row[None]), torch.tensor([0]))
        + 0.3 * loss(given(row[None]), torch.tensor([1]))
        for row in cosines
    ]
    best = cosines[int(torch.stack(cost).argmin())]
    assert float((16.0 * best).softmax(dim=0)[0]) == pytest.approx(0.97, abs=0.005)
