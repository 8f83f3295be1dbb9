import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser.batch import FeatureSpec
from ser.models import lstm
from ser.models.lstm import BidirectionalLayer, reverse_within_length
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric


def packed_reference(layer, num_bins, hidden_size):
    """The same weights in torch's own bidirectional LSTM."""
    reference = nn.LSTM(num_bins, hidden_size, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, parameter in layer.ahead.named_parameters():
            getattr(reference, name).copy_(parameter)
        for name, parameter in layer.back.named_parameters():
            getattr(reference, f"{name}_reverse").copy_(parameter)
    return reference


def test_a_layer_equals_torch_on_packed_sequences():
    torch.manual_seed(0)
    lengths = torch.tensor([12, 7, 1, 9])
    frames = torch.randn(4, 12, 5)
    layer = BidirectionalLayer(5, 8)
    packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(packed_reference(layer, 5, 8)(packed)[0], batch_first=True)
    states = layer(frames, lengths)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(
            states[row, :length], expected[row, :length], atol=FORMULA, rtol=FORMULA
        )


def test_gradients_equal_those_of_packed_sequences():
    torch.manual_seed(0)
    lengths, frames = torch.tensor([6, 3]), torch.randn(2, 6, 4)
    layer = BidirectionalLayer(4, 3)
    reference = packed_reference(layer, 4, 3)
    mask = (torch.arange(6) < lengths.unsqueeze(1)).unsqueeze(-1)
    (layer(frames, lengths) * mask).square().sum().backward()
    packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    pad_packed_sequence(reference(packed)[0], batch_first=True)[0].square().sum().backward()
    torch.testing.assert_close(layer.ahead.weight_hh_l0.grad, reference.weight_hh_l0.grad)
    torch.testing.assert_close(layer.back.weight_ih_l0.grad, reference.weight_ih_l0_reverse.grad)


def test_a_layer_is_float32_on_the_cpu_whatever_the_precision_of_training():
    """Processors without AVX-512 have no other; the gradients come as well."""
    lengths, frames = torch.tensor([6, 3]), torch.randn(2, 6, 4)
    layer = BidirectionalLayer(4, 3)
    expected = layer(frames, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        states = layer(frames, lengths)
    assert states.dtype is torch.float32
    torch.testing.assert_close(states, expected, atol=FORMULA, rtol=FORMULA)
    states.sum().backward()
    assert layer.back.weight_hh_l0.grad is not None


def test_reversing_twice_gives_the_frames_back():
    frames, lengths = torch.randn(3, 7, 2), torch.tensor([7, 3, 1])
    once = reverse_within_length(frames, lengths)
    assert torch.equal(once[1, :3], frames[1, :3].flip(0))
    assert torch.equal(once[1, 3:], frames[1, 3:])
    assert torch.equal(reverse_within_length(once, lengths), frames)


@pytest.mark.parametrize("pooling", ["last", "mean", "stats", "attention"])
def test_padding_never_changes_the_answer_under_any_pooling(pooling):
    torch.manual_seed(0)
    model = lstm.build(
        lstm.Params(pooling=pooling, hidden_size=5),
        feature=FeatureSpec("mfcc", 3),
        num_classes=4,
        head="linear",
    ).eval()
    frames = torch.randn(1, 6, 3)
    padded = torch.cat([frames, torch.full((1, 9, 3), 7.0)], dim=1)
    lengths = torch.tensor([6])
    torch.testing.assert_close(model(frames, lengths).logits, model(padded, lengths).logits)


def test_last_pooling_takes_the_end_of_each_direction():
    torch.manual_seed(0)
    layer = BidirectionalLayer(3, 4)
    frames, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    states = layer(frames, lengths)
    pooled = lstm.LastState(8)(states, lengths)
    assert torch.equal(pooled[1], torch.cat([states[1, 1, :4], states[1, 0, 4:]]))
