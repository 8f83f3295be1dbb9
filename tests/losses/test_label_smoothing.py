import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.special import log_softmax

from ser.losses import label_smoothing
from ser.losses.label_smoothing import LabelSmoothingLoss
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
@pytest.mark.parametrize("epsilon", [0.1, 0.6])
def test_label_smoothing_equals_a_plain_loop(weights, dtype, rel, epsilon):
    logits, labels = random_batch()
    loss = LabelSmoothingLoss(epsilon, None if weights is None else torch.tensor(weights))
    value = loss(given(logits, dtype), torch.tensor(labels))
    assert float(value) == pytest.approx(
        reference.label_smoothing(logits, labels, weights or [1.0] * 4, epsilon), rel=rel
    )


@pytest.mark.parametrize("weights", [None, torch.tensor(WEIGHTS)])
def test_epsilon_zero_is_cross_entropy_exactly(weights):
    logits, labels = random_batch()
    value, gradient = value_and_gradient(LabelSmoothingLoss(0.0, weights), logits, labels)
    expected, expected_gradient = of_cross_entropy(logits, labels, weights)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, expected_gradient)


def test_the_loss_is_least_at_the_smoothed_target_and_not_at_certainty():
    target = torch.tensor([[0.925, 0.025, 0.025, 0.025]])
    loss, label = LabelSmoothingLoss(0.1), torch.tensor([0])
    _, gradient = value_and_gradient(loss, target.log(), label)
    torch.testing.assert_close(gradient, torch.zeros(1, 4))
    certain = given([[20.0, 0.0, 0.0, 0.0]], torch.float32)
    assert loss(given(target.log(), torch.float32), label) < loss(certain, label)


def test_logits_of_ten_thousand_do_not_overflow():
    loss = LabelSmoothingLoss(0.1)
    value, gradient = value_and_gradient(loss, torch.tensor([[1e4, -1e4]]), torch.tensor([0]))
    assert float(value) == pytest.approx(0.05 * 2e4)
    torch.testing.assert_close(gradient, torch.tensor([[0.05, -0.05]]))


def test_gradient_is_that_of_finite_differences():
    assert passes_gradcheck(LabelSmoothingLoss(0.2, torch.tensor(WEIGHTS)), *random_batch())


@pytest.mark.parametrize("epsilon", [-0.1, 1.0])
def test_an_epsilon_outside_its_range_is_refused(epsilon):
    with pytest.raises(ValidationError, match="epsilon"):
        label_smoothing.Params(epsilon=epsilon)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.6])
def test_shares_of_votes_are_smoothed(epsilon):
    logits, _ = random_batch(size=3)
    shares = np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0.2, 0.3, 0.1, 0.4]])
    weights, log_p = np.array(WEIGHTS), log_softmax(logits, axis=1)
    smoothed = (1 - epsilon) * shares + epsilon / 4
    expected = -(weights * smoothed * log_p).sum() / (weights * shares).sum()
    loss = LabelSmoothingLoss(epsilon, torch.tensor(WEIGHTS))
    assert float(loss(given(logits), torch.tensor(shares))) == pytest.approx(expected)
    assert passes_gradcheck(loss, logits, shares)
