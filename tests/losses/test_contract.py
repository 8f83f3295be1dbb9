"""What every loss promises, run over all of them by discovery."""

import math

import pytest
import torch

from ser import components
from ser.batch import ModelOutput

NUM_CLASSES = 4
LOSSES = components.names("ser.losses")


def build(name, class_weights=None):
    module = components.load("ser.losses", name)
    return module.build(module.Params(), num_classes=NUM_CLASSES, class_weights=class_weights)


def output(logits, requires_grad=False):
    """Logits that any head could have given: a cosine head's lie in [-1, 1]."""
    bounded = torch.tanh(logits).requires_grad_(requires_grad)
    return ModelOutput(torch.zeros(len(logits), 8), bounded)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.5, 1.0, 2.0, 1.5])])
def test_the_loss_is_a_finite_scalar_with_a_finite_gradient(name, class_weights):
    torch.manual_seed(0)
    given = output(torch.randn(6, NUM_CLASSES), requires_grad=True)
    value = build(name, class_weights)(given, torch.tensor([0, 1, 2, 3, 0, 1]))
    assert value.shape == ()
    assert value.isfinite()
    value.backward()
    assert given.logits.grad.isfinite().all()
    assert given.logits.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_the_batch_does_not_matter(name):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, NUM_CLASSES), torch.tensor([0, 1, 2, 3, 0, 1])
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    loss = build(name)
    torch.testing.assert_close(
        loss(output(logits), labels), loss(output(logits[order]), labels[order])
    )


@pytest.mark.parametrize("name", LOSSES)
def test_being_right_costs_less_than_being_wrong(name):
    labels = torch.arange(NUM_CLASSES)
    right = 3.0 * torch.eye(NUM_CLASSES)
    loss = build(name)
    assert loss(output(right), labels) < loss(output(right.roll(1, dims=0)), labels)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_one_and_a_batch_of_one_class_are_fine(name):
    torch.manual_seed(0)
    loss = build(name)
    assert loss(output(torch.randn(1, NUM_CLASSES)), torch.tensor([2])).isfinite()
    assert loss(output(torch.randn(5, NUM_CLASSES)), torch.full((5,), 1)).isfinite()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_half_precision_gives_a_float32_loss_and_float64_stays(name, dtype):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, NUM_CLASSES), torch.tensor([0, 1, 2, 3, 0, 1])
    loss = build(name, torch.tensor([0.5, 1.0, 2.0, 1.5]))
    value = loss(output(logits.to(dtype)), labels)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(value.float(), loss(output(logits), labels), atol=5e-2, rtol=5e-2)


@pytest.mark.parametrize("name", LOSSES)
def test_an_epoch_has_the_same_loss_whatever_epochs_came_before(name):
    torch.manual_seed(0)
    batch = output(torch.randn(6, NUM_CLASSES)), torch.tensor([0, 1, 2, 3, 0, 1])
    loss, resumed = build(name), build(name)
    for epoch in (1, 2, 3):
        loss.start_epoch(epoch)
    resumed.start_epoch(3)
    assert torch.equal(loss(*batch), resumed(*batch))


@pytest.mark.parametrize("name", LOSSES)
def test_a_diagnosis_is_finite_and_carries_no_part_in_its_names(name):
    torch.manual_seed(0)
    found = build(name).diagnose(output(torch.randn(6, NUM_CLASSES)), torch.tensor([0, 1] * 3))
    for key, value in found.items():
        assert "/" not in key
        assert math.isfinite(value)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_owns_no_learnable_weights_and_names_its_head(name):
    loss = build(name)
    assert list(loss.parameters()) == []
    assert loss.head in ("linear", "cosine")
    assert loss.logit_scale > 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_states_its_source(name):
    loss = build(name)
    assert "Source:" in type(loss).__doc__
