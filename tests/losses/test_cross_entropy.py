import numpy as np
import pytest
import torch

from ser.batch import ModelOutput
from ser.losses import cross_entropy
from tests.reference import losses as reference


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 1.5]])
def test_cross_entropy_equals_a_plain_loop(weights):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 4)), rng.integers(0, 4, 7)
    loss = cross_entropy.build(
        cross_entropy.Params(),
        num_classes=4,
        class_weights=None if weights is None else torch.tensor(weights),
    )
    value = loss(ModelOutput(torch.zeros(7, 2), torch.tensor(logits)), torch.tensor(labels))
    assert float(value) == pytest.approx(
        reference.cross_entropy(logits, labels, weights or [1.0] * 4), rel=1e-5
    )


def test_logits_of_ten_thousand_do_not_overflow():
    loss = cross_entropy.build(cross_entropy.Params(), num_classes=2, class_weights=None)
    logits = torch.tensor([[1e4, -1e4]])
    assert float(loss(ModelOutput(torch.zeros(1, 2), logits), torch.tensor([0]))) == 0.0
    assert float(loss(ModelOutput(torch.zeros(1, 2), logits), torch.tensor([1]))) == 2e4


def test_gradient_is_that_of_finite_differences():
    loss = cross_entropy.build(
        cross_entropy.Params(), num_classes=3, class_weights=torch.tensor([1.0, 2.0, 0.5])
    )
    torch.manual_seed(0)
    labels = torch.tensor([0, 2, 1, 1])
    logits = torch.randn(4, 3, dtype=torch.float64)
    grad = logits.clone().requires_grad_()
    loss(ModelOutput(torch.zeros(4, 1), grad), labels).backward()
    step = 1e-2
    for index in np.ndindex(4, 3):
        shift = torch.zeros_like(logits)
        shift[index] = step
        ends = [
            reference.cross_entropy(
                (logits + sign * shift).numpy(), labels.numpy(), [1.0, 2.0, 0.5]
            )
            for sign in (1, -1)
        ]
        assert float(grad.grad[index]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-4)
