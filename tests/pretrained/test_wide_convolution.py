"""The convolution of positions in the frequency domain against torch's own."""

import pytest
import torch
from torch import nn

from ser.pretrained._wide_convolution import correlated, wide_convolution_of
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

GROUPS, CHANNELS = 4, 24


def convolution(width, *, bias=True):
    torch.manual_seed(0)
    made = nn.Conv1d(CHANNELS, CHANNELS, width, padding=width // 2, groups=GROUPS, bias=bias)
    # As published; its two parameters must get their gradients, too.
    return nn.utils.parametrizations.weight_norm(made, name="weight", dim=2)


def directly(frames, made):
    found = made(frames.transpose(1, 2)).transpose(1, 2)
    return found[:, : frames.shape[1]]


def gradients(values, *of, weights):
    return torch.autograd.grad((values * weights).sum(), of)


# Shorter than the kernel, as long as a transform, one more, and a long one.
@pytest.mark.parametrize("num_frames", [1, 3, 64, 65, 500])
@pytest.mark.parametrize("width", [128, 65])
def test_it_is_the_convolution_and_its_gradients(num_frames, width):
    made = convolution(width, bias=width == 128)
    frames = torch.randn(3, num_frames, CHANNELS, requires_grad=True)
    expected, found = directly(frames, made), correlated(frames, made)
    torch.testing.assert_close(found, expected, atol=NETWORK, rtol=0)
    weights = torch.randn_like(expected)
    of = frames, *made.parameters()
    for name, ours, theirs in zip(
        ("frames", *dict(made.named_parameters())),
        gradients(found, *of, weights=weights),
        gradients(expected, *of, weights=weights),
        strict=True,
    ):
        tolerance = NETWORK * max(1.0, theirs.abs().max().item())
        torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0, msg=name)


def test_what_leaves_at_one_end_does_not_come_in_at_the_other():
    made = convolution(128, bias=False)
    for num_frames in range(60, 70):
        frames = torch.zeros(1, num_frames, CHANNELS)
        frames[0, -1] = 1e3
        with torch.no_grad():
            found, expected = correlated(frames, made), directly(frames, made)
        torch.testing.assert_close(found, expected, atol=1e3 * NETWORK, rtol=0)


def test_frozen_weights_get_no_gradient_and_frames_do():
    made = convolution(128).requires_grad_(False)
    frames = torch.randn(1, 9, CHANNELS, requires_grad=True)
    correlated(frames, made).sum().backward()
    assert frames.grad is not None
    assert all(parameter.grad is None for parameter in made.parameters())


def test_under_autocast_the_type_is_its_own_and_the_transform_single_precision():
    made = convolution(128)
    frames = torch.randn(2, 40, CHANNELS)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = correlated(frames.bfloat16(), made)
    assert half.dtype == torch.bfloat16
    expected = correlated(frames.bfloat16().float(), made)
    assert expected.dtype == torch.float32
    torch.testing.assert_close(half, expected.bfloat16())


def test_only_a_wide_convolution_is_worth_it():
    positions = nn.Module()
    assert wide_convolution_of(positions) is None
    positions.conv = nn.Conv1d(4, 4, 16)
    assert wide_convolution_of(positions) is None
    positions.conv = convolution(128)
    assert wide_convolution_of(positions) is positions.conv
