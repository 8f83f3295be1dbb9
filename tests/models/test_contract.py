"""What every model promises, run over all of them by discovery.

A model is built with `Params()` on MFCC frames (`default_case.py`). One that needs other
material has a `case_<file>.py` beside this file, named like the model's own file: `IDS`, and
`make(model, id, folder)`, which returns its params and the spec of the features that it reads.
"""

import importlib
import importlib.util

import pytest
import torch

from ser import components
from tests.rounding import FORMULA, NETWORK

pytestmark = pytest.mark.numeric

NUM_CLASSES = 4
MODELS = components.names("ser.models")


def cases_of(name):
    stem = components.source("ser.models", name).stem
    own = f"tests.models.case_{stem}"
    has_own = importlib.util.find_spec(own) is not None
    return importlib.import_module(own if has_own else "tests.models.default_case")


CASES = [(name, case) for name in MODELS for case in cases_of(name).IDS]


@pytest.fixture(scope="module", params=CASES, ids=lambda item: "-".join(item))
def ingredients(request, tmp_path_factory):
    """A model's module, its params and the spec of its features."""
    name, case = request.param
    made = cases_of(name).make(name, case, tmp_path_factory.mktemp(name))
    return components.load("ser.models", name), *made


@pytest.fixture
def build(ingredients):
    def function(head="linear"):
        module, params, feature = ingredients
        torch.manual_seed(0)
        return module.build(params, feature=feature, num_classes=NUM_CLASSES, head=head)

    return function


@pytest.fixture
def batch(ingredients):
    def function(lengths, padded_to=None, seed=0):
        generator = torch.Generator().manual_seed(seed)
        num_bins = ingredients[2].num_bins
        inputs = torch.zeros(len(lengths), padded_to or max(lengths), num_bins)
        for row, length in enumerate(lengths):
            inputs[row, :length] = torch.randn(length, num_bins, generator=generator)
        return inputs, torch.tensor(lengths)

    return function


@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_shapes_are_those_of_the_interface(build, batch, head):
    model = build(head).eval()
    output = model(*batch([9, 4, 1]))
    assert output.embedding.shape == (3, model.embedding_dim)
    assert output.logits.shape == (3, NUM_CLASSES)
    assert output.ratings is None
    assert model.num_ratings == 0
    if head == "cosine":
        assert output.logits.abs().max() <= 1 + FORMULA


def test_padding_never_changes_the_answer(build, batch):
    model = build().eval()
    together = model(*batch([9, 4, 1], padded_to=30))
    inputs, lengths = batch([9, 4, 1])
    for row, length in enumerate(lengths.tolist()):
        alone = model(inputs[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(
            alone.logits[0], together.logits[row], atol=NETWORK, rtol=NETWORK
        )
        torch.testing.assert_close(
            alone.embedding[0], together.embedding[row], atol=NETWORK, rtol=NETWORK
        )


def test_garbage_in_the_padding_never_changes_the_answer(build, batch):
    model = build().eval()
    inputs, lengths = batch([9, 4])
    dirty = inputs.clone()
    dirty[1, 4:] = 1e3
    torch.testing.assert_close(model(dirty, lengths).logits, model(inputs, lengths).logits)


@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_every_parameter_receives_a_finite_gradient(build, batch, head):
    model = build(head)
    output = model(*batch([9, 4, 7]))
    torch.nn.functional.cross_entropy(output.logits, torch.tensor([0, 1, 2])).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


def test_weights_survive_the_state_dict_and_evaluation_is_deterministic(build, batch):
    model, other = build().eval(), build().eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    other.load_state_dict(model.state_dict())
    inputs = batch([5, 8])
    assert torch.equal(model(*inputs).logits, other(*inputs).logits)
    assert torch.equal(model(*inputs).logits, model(*inputs).logits)


def test_it_says_what_the_trainer_must_know(build):
    model = build()
    assert isinstance(model.normalises_inputs, bool)
    assert model.origin
    assert model.prototypes() is None
    assert build("cosine").prototypes().shape == (NUM_CLASSES, model.embedding_dim)
    assert sum(model.layer_weights() or [1.0]) == pytest.approx(1.0)
    depths = {name: model.parameter_depth(name) for name, _ in model.named_parameters()}
    assert min(depths.values()) == 0
