import pytest
import torch

from ser.models import _heads

pytestmark = pytest.mark.numeric


def test_cosines_are_those_of_the_angles_to_the_prototypes():
    head = _heads.CosineHead(2, 3)
    with torch.no_grad():
        head.prototypes.copy_(torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]))
    logits = head(torch.tensor([[3.0, 0.0], [1.0, 1.0]]))
    expected = torch.tensor([[1.0, 0.0, -1.0], [0.5**0.5, 0.5**0.5, -(0.5**0.5)]])
    torch.testing.assert_close(logits, expected)


def test_cosines_do_not_depend_on_the_length_of_the_embedding():
    head = _heads.build("cosine", embedding_dim=8, num_classes=4)
    embedding = torch.randn(5, 8)
    torch.testing.assert_close(head(embedding), head(100 * embedding))


def test_half_precision_embeddings_do_not_overflow():
    head = _heads.CosineHead(64, 4)
    logits = head(torch.full((1, 64), 6e4, dtype=torch.float16))
    assert logits.isfinite().all()
    assert logits.dtype == torch.float32


def test_cosines_keep_their_digits_under_autocast():
    head, embedding = _heads.CosineHead(16, 4), torch.randn(5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cosines = head(embedding)
    assert torch.equal(cosines, head(embedding))


def test_prototype_cosines_are_those_between_the_prototypes():
    head = _heads.CosineHead(2, 3)
    with torch.no_grad():
        head.prototypes.copy_(torch.tensor([[2.0, 0.0], [0.0, 5.0], [-3.0, 0.0]]))
    cosines = head.prototype_cosines()
    expected = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    torch.testing.assert_close(cosines, expected)
    assert not cosines.requires_grad
