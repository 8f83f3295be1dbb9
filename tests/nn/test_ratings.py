import pytest
import torch
from torch import nn

from ser.batch import ModelOutput
from ser.emotion import DIMENSION_RANGE
from ser.nn.heads import build_head
from ser.nn.network import Network
from ser.nn.ratings import RatedModel

pytestmark = pytest.mark.numeric


class MeanModel(Network):
    """The least that is a model: a mean over all frames and a head."""

    normalises_inputs = False
    origin = "a checkpoint"
    embedding_dim = 5

    def __init__(self, head="linear"):
        super().__init__()
        self.head = build_head(head, embedding_dim=5, num_classes=4)

    def forward(self, inputs, _lengths):
        embedding = inputs.mean(dim=1)
        return ModelOutput(embedding, self.head(embedding))

    def parameter_depth(self, name):
        return {"head.weight": 2, "head.bias": 1}[name]

    def weighs_layers(self, name):
        return name == "head.bias"

    def layer_weights(self):
        return [0.25, 0.75]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return RatedModel(MeanModel(), 3)


def test_it_says_what_the_model_says_and_rates_besides(model):
    inputs, lengths = torch.randn(2, 7, 5), torch.tensor([7, 7])
    output, plain = model(inputs, lengths), model.model(inputs, lengths)
    assert torch.equal(output.logits, plain.logits)
    assert torch.equal(output.embedding, plain.embedding)
    weight, bias = model.ratings.weight, model.ratings.bias
    for row in range(2):
        for dimension in range(3):
            scaled = (plain.embedding[row] * weight[dimension]).sum() + bias[dimension]
            torch.testing.assert_close(output.ratings[row, dimension], 3.0 + 2.0 * scaled)


def test_minus_one_and_one_are_the_ends_of_the_scale(model):
    nn.init.zeros_(model.ratings.weight)
    with torch.no_grad():
        model.ratings.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    ratings = model(torch.randn(1, 2, 5), torch.tensor([2])).ratings[0].tolist()
    low, high = DIMENSION_RANGE
    assert ratings == [low, (low + high) / 2, high]


def test_it_keeps_the_promises_of_the_model(model):
    assert (model.embedding_dim, model.normalises_inputs) == (5, False)
    assert model.origin == "a checkpoint"
    assert model.num_ratings == 3
    assert model.layer_weights() == [0.25, 0.75]
    assert [name for name, _ in model.named_parameters() if model.weighs_layers(name)] == [
        "model.head.bias"
    ]
    assert model.prototypes() is None
    depths = {name: model.parameter_depth(name) for name, _ in model.named_parameters()}
    assert depths == {
        "model.head.weight": 2,
        "model.head.bias": 1,
        "ratings.weight": 0,
        "ratings.bias": 0,
    }


def test_the_prototypes_are_those_of_the_model():
    model = RatedModel(MeanModel("cosine"), 3)
    assert torch.equal(model.prototypes(), model.model.head.prototypes)
    assert not model.prototypes().requires_grad


def test_ratings_are_fine_even_in_half_precision(model):
    nn.init.zeros_(model.ratings.bias)
    half = model.to(torch.bfloat16)
    inputs = (0.01 * torch.randn(50, 2, 5)).to(torch.bfloat16)
    ratings = half(inputs, torch.full((50,), 2)).ratings
    assert ratings.dtype == torch.float32
    # The numbers that bfloat16 has near 3 are 0.016 apart.
    assert len(ratings[:, 0].unique()) > 2 * (ratings[:, 0].max() - ratings[:, 0].min()) / 0.016


def test_the_ratings_pull_at_the_shared_layers(model):
    inputs = torch.randn(3, 4, 5, requires_grad=True)
    model(inputs, torch.full((3,), 4)).ratings.square().sum().backward()
    assert inputs.grad.abs().sum() > 0
    assert model.model.head.weight.grad is None
