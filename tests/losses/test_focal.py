import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.special import softmax

from ser.batch import ModelOutput
from ser.losses import cross_entropy, focal
from ser.losses.focal import FocalLoss
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


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float32, FORMULA), (torch.float64, 1e-12)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_equals_a_plain_loop(weights, dtype, rel, gamma):
    logits, labels = random_batch()
    loss = FocalLoss(gamma, None if weights is None else torch.tensor(weights))
    value = loss(given(logits, dtype), torch.tensor(labels))
    assert float(value) == pytest.approx(
        reference.focal(logits, labels, weights or [1.0] * 4, gamma), rel=rel
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weights", [None, torch.tensor(WEIGHTS)])
def test_gamma_zero_is_cross_entropy_exactly(weights, dtype):
    logits, labels = random_batch(size=33, spread=10.0)
    value, gradient = value_and_gradient(FocalLoss(0.0, weights), logits, labels, dtype)
    expected, expected_gradient = of_cross_entropy(logits, labels, weights, dtype)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, expected_gradient)


def test_equal_weights_of_any_size_are_no_weights():
    logits, labels = random_batch()
    batch = given(logits), torch.tensor(labels)
    torch.testing.assert_close(
        FocalLoss(2.0, torch.full((4,), 7.0))(*batch), FocalLoss(2.0)(*batch)
    )


def test_an_easy_utterance_is_turned_down_and_a_hard_one_is_not():
    def share(logit, label):
        batch = given([[logit, 0.0]]), torch.tensor([label])
        return float(FocalLoss(2.0)(*batch) / FocalLoss(0.0)(*batch))

    assert share(5.0, 0) < 1e-4
    assert share(5.0, 1) > 0.98


def test_near_certainty_the_factor_keeps_its_digits_in_float32():
    batch = given([[10.0, 0.0]], torch.float32), torch.tensor([0])
    entropy = float(FocalLoss(0.0)(*batch))
    share = float(FocalLoss(1.0)(*batch)) / entropy
    assert share == pytest.approx(-math.expm1(-entropy), rel=FORMULA)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_probability_of_exactly_one_has_loss_and_gradient_zero(gamma, dtype):
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    value, gradient = value_and_gradient(FocalLoss(gamma), logits, torch.tensor([0]), dtype)
    assert float(value) == 0.0
    assert torch.equal(gradient, torch.zeros(1, 3, dtype=dtype))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_logits_of_ten_thousand_do_not_overflow(gamma):
    logits = torch.tensor([[1e4, -1e4]])
    value, gradient = value_and_gradient(FocalLoss(gamma), logits, torch.tensor([1]))
    assert float(value) == 2e4
    torch.testing.assert_close(gradient, torch.tensor([[1.0, -1.0]]))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradient_is_that_of_finite_differences(gamma):
    assert passes_gradcheck(FocalLoss(gamma, torch.tensor(WEIGHTS)), *random_batch())


@pytest.mark.parametrize("gamma", [-1.0, 10.5])
def test_a_gamma_outside_its_range_is_refused(gamma):
    with pytest.raises(ValidationError, match="gamma"):
        focal.Params(gamma=gamma)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_alpha_is_the_exponent_of_the_class_weights(alpha):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    weights = torch.tensor([0.5, 1.0, 2.0, 1.5])
    params = focal.Params(gamma=2.0, alpha=alpha)
    loss = focal.build(params, num_classes=4, class_weights=weights)
    by_hand = FocalLoss(2.0, weights**alpha)
    output = ModelOutput(torch.zeros(6, 8), logits)
    torch.testing.assert_close(loss(output, labels), by_hand(output, labels))
    plain = focal.build(params, num_classes=4, class_weights=None)
    torch.testing.assert_close(plain(output, labels), FocalLoss(2.0)(output, labels))


SHARES = np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0.2, 0.3, 0.1, 0.4]])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_shares_of_votes_turn_down_what_is_close_to_its_share(gamma):
    logits, _ = random_batch(size=3)
    weights, p = np.array(WEIGHTS), softmax(logits, axis=1)
    total = sum(
        weights[k] * SHARES[i, k] * abs(SHARES[i, k] - p[i, k]) ** gamma * -np.log(p[i, k])
        for i in range(3)
        for k in range(4)
    )
    loss = FocalLoss(gamma, torch.tensor(WEIGHTS))
    found = float(loss(given(logits), torch.tensor(SHARES)))
    assert found == pytest.approx(total / (weights * SHARES).sum())
    assert passes_gradcheck(loss, logits, SHARES)


def test_with_gamma_0_shares_cost_their_cross_entropy():
    logits, _ = random_batch(size=3)
    batch = given(logits), torch.tensor(SHARES)
    plain = cross_entropy.CrossEntropyLoss(torch.tensor(WEIGHTS))
    torch.testing.assert_close(FocalLoss(0.0, torch.tensor(WEIGHTS))(*batch), plain(*batch))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_loss_of_shares_is_least_and_zero_at_the_shares(gamma):
    shares = torch.tensor(SHARES[2:])
    loss, at = FocalLoss(gamma), shares.log()
    assert float(loss(given(at), shares)) == pytest.approx(0.0, abs=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(50):
        moved = at + torch.tensor(0.3 * rng.normal(size=at.shape))
        assert loss(given(moved), shares) > loss(given(at), shares)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0])
def test_the_gradient_at_the_shares_is_finite_although_the_slope_there_is_not(gamma):
    shares = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.25] * 4])
    logits = torch.tensor([[0.0, 0.0, -200.0, -200.0], [0.0] * 4])
    _, gradient = value_and_gradient(FocalLoss(gamma), logits, shares)
    assert gradient.isfinite().all()
