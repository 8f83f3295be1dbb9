import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ser import metrics
from ser.losses import ccc
from ser.losses.ccc import CccLoss
from tests.losses.support import (
    WEIGHTS,
    given,
    of_cross_entropy,
    passes_gradcheck,
    random_batch,
    value_and_gradient,
)
from tests.reference import losses as reference


@pytest.mark.parametrize(("dtype", "abs_"), [(torch.float32, 1e-5), (torch.float64, 1e-7)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_ccc_equals_a_plain_loop(weights, dtype, abs_, weight):
    logits, labels = random_batch(size=9)
    loss = CccLoss(weight, None if weights is None else torch.tensor(weights))
    value = loss(given(logits, dtype), torch.tensor(labels))
    assert float(value) == pytest.approx(
        reference.ccc(logits, labels, weights or [1.0] * 4, weight), abs=abs_
    )


@pytest.mark.parametrize("weights", [None, torch.tensor(WEIGHTS)])
def test_weight_zero_is_cross_entropy_exactly(weights):
    logits, labels = random_batch()
    value, gradient = value_and_gradient(CccLoss(0.0, weights), logits, labels)
    expected, expected_gradient = of_cross_entropy(logits, labels, weights)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, expected_gradient)


def test_the_concordance_is_that_of_the_metric():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    second[:, 2] = first[:, 2] + 0.5
    ours = ccc.concordance(torch.tensor(first), torch.tensor(second))
    theirs = [metrics.ccc(truth=first[:, k], prediction=second[:, k]) for k in range(3)]
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6)


def test_the_pure_loss_is_zero_for_perfect_probabilities_and_two_for_opposite_ones():
    labels = torch.tensor([0, 1, 0, 1])
    right = torch.nn.functional.one_hot(labels).double() * 1e4
    assert float(CccLoss(1.0)(given(right), labels)) == pytest.approx(0.0, abs=1e-6)
    assert float(CccLoss(1.0)(given(right.roll(1, dims=1)), labels)) == pytest.approx(2.0, abs=1e-6)


def test_an_absent_class_has_concordance_zero_and_pulls_at_nothing():
    targets = torch.zeros(5, 1)
    for probabilities in (torch.zeros(5, 1), torch.full((5, 1), 0.25), torch.rand(5, 1)):
        leaf = probabilities.clone().requires_grad_()
        value = ccc.concordance(leaf, targets)
        value.sum().backward()
        assert float(value.detach()) == 0.0
        assert torch.equal(leaf.grad, torch.zeros(5, 1))


@pytest.mark.parametrize("labels", [[2], [1, 1, 1, 1]])
def test_one_utterance_or_one_class_learns_from_the_cross_entropy_alone(labels):
    logits, labels = torch.randn(len(labels), 4), torch.tensor(labels)
    value, gradient = value_and_gradient(CccLoss(1.0), logits, labels)
    assert float(value) == 1.0
    assert torch.equal(gradient, torch.zeros(len(labels), 4))
    _, gradient = value_and_gradient(CccLoss(0.5), logits, labels)
    _, expected = of_cross_entropy(logits, labels)
    torch.testing.assert_close(gradient, 0.5 * expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_logits_of_ten_thousand_do_not_overflow(dtype):
    logits, labels = torch.tensor([[1e4, -1e4], [1e4, -1e4]]), torch.tensor([0, 1])
    value, gradient = value_and_gradient(CccLoss(0.5), logits, labels, dtype)
    assert float(value) == pytest.approx(0.5 * 1e4 + 0.5, rel=1e-2)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_gradient_is_that_of_finite_differences(weight):
    assert passes_gradcheck(CccLoss(weight, torch.tensor(WEIGHTS)), *random_batch())


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_a_weight_outside_its_range_is_refused(weight):
    with pytest.raises(ValidationError, match="weight"):
        ccc.Params(weight=weight)
