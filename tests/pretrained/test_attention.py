"""Attention in training against torch's own, which drops nothing."""

import pytest
import torch
import torch.nn.functional as F

from ser.pretrained import _attention
from ser.pretrained._attention import attend
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

BATCH, NUM_HEADS, NUM_FRAMES, HEAD_DIM = 3, 2, 7, 5


@pytest.fixture
def states():
    generator = torch.Generator().manual_seed(0)
    shape = (3, BATCH, NUM_HEADS, NUM_FRAMES, HEAD_DIM)
    return torch.randn(shape, generator=generator).requires_grad_()


@pytest.fixture
def nothing_dropped(monkeypatch):
    """The plain path, which is taken where there is dropout, without the dropout itself."""
    seen = []
    monkeypatch.setattr(
        _attention, "dropped", lambda weights, rate: seen.append((weights, rate)) or weights
    )
    return seen


def masks():
    lengths = torch.tensor([7, 4, 1])
    valid = (torch.arange(NUM_FRAMES) < lengths[:, None])[:, None, None, :]
    generator = torch.Generator().manual_seed(1)
    bias = torch.randn(NUM_HEADS, NUM_FRAMES, NUM_FRAMES, generator=generator)
    return {
        "no mask": None,
        "padding": valid,
        "bias": bias.expand(BATCH, -1, -1, -1).masked_fill(~valid, float("-inf")),
    }


@pytest.mark.parametrize("mask", ["no mask", "padding", "bias"])
@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
def test_without_its_dropout_it_is_torchs_attention(states, nothing_dropped, mask, scale):
    chosen = masks()[mask]
    expected = F.scaled_dot_product_attention(*states, attn_mask=chosen, scale=scale)
    (gradient,) = torch.autograd.grad(expected.square().sum(), states)
    found = attend(*states, chosen, dropout=0.1, scale=scale)
    torch.testing.assert_close(found, expected, atol=NETWORK, rtol=0)
    (ours,) = torch.autograd.grad(found.square().sum(), states)
    torch.testing.assert_close(ours, gradient, atol=NETWORK, rtol=NETWORK)
    ((weights, rate),) = nothing_dropped
    assert rate == 0.1
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))


def test_without_dropout_torchs_kernel_is_called(states, nothing_dropped):
    expected = F.scaled_dot_product_attention(*states)
    assert torch.equal(attend(*states, None, dropout=0.0), expected)
    assert not nothing_dropped


def test_weights_are_dropped_and_what_is_masked_stays_so(states):
    query, key, _ = states
    everything = torch.eye(NUM_FRAMES).expand(BATCH, NUM_HEADS, -1, -1)
    torch.manual_seed(0)
    weights = attend(query, key, everything, masks()["padding"], dropout=0.5)
    hidden = ~masks()["padding"].expand_as(weights)
    assert (weights[hidden] == 0).all()
    left = (weights[~hidden] != 0).float().mean()
    assert 0.3 < left < 0.7
