import pytest
import torch

from ser.batch import ModelOutput
from ser.nn.heads import build_head
from ser.nn.network import Network


class MeanModel(Network):
    """The least that a network must say of itself."""

    def __init__(self, head):
        super().__init__()
        self.embedding_dim = 5
        self.head = build_head(head, embedding_dim=5, num_classes=4)

    def forward(self, inputs, lengths):
        embedding = inputs.sum(dim=1) / lengths.unsqueeze(1)
        return ModelOutput(embedding, self.head(embedding))


def test_by_default_a_network_is_trained_from_scratch_on_normalised_features():
    model = MeanModel("linear")
    assert model.origin == "from scratch"
    assert model.normalises_inputs
    assert model.num_ratings == 0
    assert model.layer_weights() is None
    assert {model.parameter_depth(name) for name, _ in model.named_parameters()} == {0}


def test_prototypes_are_those_of_a_cosine_head_without_gradient():
    assert MeanModel("linear").prototypes() is None
    model = MeanModel("cosine")
    assert torch.equal(model.prototypes(), model.head.prototypes)
    assert not model.prototypes().requires_grad


def test_the_base_class_adds_no_weights():
    assert list(MeanModel("cosine").state_dict()) == ["head.prototypes"]


def test_a_network_without_forward_cannot_be_made():
    with pytest.raises(TypeError, match="forward"):
        Network()
