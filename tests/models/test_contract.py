"""What every model promises, run over all of them by discovery."""

import pytest
import torch

from ser import components

NUM_BINS, NUM_CLASSES = 6, 4
MODELS = components.names("ser.models")


def build(name, head="linear"):
    torch.manual_seed(0)
    module = components.load("ser.models", name)
    return module.build(module.Params(), num_bins=NUM_BINS, num_classes=NUM_CLASSES, head=head)


def batch(lengths, padded_to=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.zeros(len(lengths), padded_to or max(lengths), NUM_BINS)
    for row, length in enumerate(lengths):
        inputs[row, :length] = torch.randn(length, NUM_BINS, generator=generator)
    return inputs, torch.tensor(lengths)


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_those_of_the_interface(name, head):
    model = build(name, head).eval()
    output = model(*batch([9, 4, 1]))
    assert output.embedding.shape == (3, model.embedding_dim)
    assert output.logits.shape == (3, NUM_CLASSES)
    if head == "cosine":
        assert output.logits.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("name", MODELS)
def test_padding_never_changes_the_answer(name):
    model = build(name).eval()
    together = model(*batch([9, 4, 1], padded_to=30))
    inputs, lengths = batch([9, 4, 1])
    for row, length in enumerate(lengths.tolist()):
        alone = model(inputs[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[row], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            alone.embedding[0], together.embedding[row], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("name", MODELS)
def test_garbage_in_the_padding_never_changes_the_answer(name):
    model = build(name).eval()
    inputs, lengths = batch([9, 4])
    dirty = inputs.clone()
    dirty[1, 4:] = 1e3
    torch.testing.assert_close(model(dirty, lengths).logits, model(inputs, lengths).logits)


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_receives_a_finite_gradient(name, head):
    model = build(name, head)
    output = model(*batch([9, 4, 7]))
    torch.nn.functional.cross_entropy(output.logits, torch.tensor([0, 1, 2])).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", MODELS)
def test_weights_survive_the_state_dict_and_evaluation_is_deterministic(name):
    model, other = build(name).eval(), build(name).eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    other.load_state_dict(model.state_dict())
    inputs = batch([5, 8])
    assert torch.equal(model(*inputs).logits, other(*inputs).logits)
    assert torch.equal(model(*inputs).logits, model(*inputs).logits)
