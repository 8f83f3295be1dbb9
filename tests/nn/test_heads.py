import pytest
import torch

from ser.nn.heads import CosineHead, build_head, cosines

pytestmark = pytest.mark.numeric


def test_cosines_are_those_of_the_angles_to_the_prototypes():
    head = CosineHead(2, 3)
    with torch.no_grad():
        head.prototypes.copy_(torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]))
    logits = head(torch.tensor([[3.0, 0.0], [1.0, 1.0]]))
    expected = torch.tensor([[1.0, 0.0, -1.0], [0.5**0.5, 0.5**0.5, -(0.5**0.5)]])
    torch.testing.assert_close(logits, expected)


def test_cosines_do_not_depend_on_the_length_of_the_embedding():
    head = build_head("cosine", embedding_dim=8, num_classes=4)
    embedding = torch.randn(5, 8)
    torch.testing.assert_close(head(embedding), head(100 * embedding))


def test_half_precision_embeddings_do_not_overflow():
    head = CosineHead(64, 4)
    logits = head(torch.full((1, 64), 6e4, dtype=torch.float16))
    assert logits.isfinite().all()
    assert logits.dtype == torch.float32


def test_cosines_keep_their_digits_under_autocast():
    head, embedding = CosineHead(16, 4), torch.randn(5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cosines = head(embedding)
    assert torch.equal(cosines, head(embedding))


def test_cosines_between_the_rows_of_one_matrix():
    rows = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-3.0, 0.0]])
    expected = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    torch.testing.assert_close(cosines(rows, rows), expected)
