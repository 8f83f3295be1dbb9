"""From an embedding to class scores: a linear head, and a cosine head with prototypes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.batch import HeadName


class CosineHead(nn.Module):
    """Cosines between an embedding and one learnt prototype per class.

    Margin losses are trained on these cosines and prediction uses the very same head, so
    a prototype cannot be forgotten by the optimiser, the checkpoint or the server.

    Args:
        embedding_dim: Width of the embedding.
        num_classes: Number of prototypes.
    """

    def __init__(self, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.empty(num_classes, embedding_dim))
        nn.init.xavier_normal_(self.prototypes)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return cosines `(batch, num_classes)` in [-1, 1] of `(batch, embedding_dim)`."""
        return cosines(embedding, self.prototypes)


class EmptyHead(nn.Module):
    """No class scores at all, for a model that rates only; it has no parameters."""

    def forward(self, embedding: Tensor) -> Tensor:
        """Return `(batch, 0)` of `(batch, embedding_dim)`."""
        return embedding[:, :0]


Head = nn.Linear | CosineHead | EmptyHead


def cosines(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the cosine of every row of one matrix with every row of another, float32.

    Args:
        rows: `(num_rows, dim)`.
        columns: `(num_columns, dim)`.

    Returns:
        `(num_rows, num_columns)`, in [-1, 1] but for rounding.

    Example:
        >>> cosines(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 5.0], [-1.0, 0.0]])).tolist()
        [[0.0, -1.0]]
    """
    # In half precision the norms of long vectors overflow, and a cosine near 1 has too few
    # digits left to be scaled; autocast would make this product one in halves.
    with torch.autocast(rows.device.type, enabled=False):
        unit = F.normalize(rows.float(), dim=-1)
        return F.linear(unit, F.normalize(columns.float(), dim=-1))


def build_head(head: HeadName, *, embedding_dim: int, num_classes: int) -> Head:
    """Return a head: `(batch, embedding_dim)` -> `(batch, num_classes)`, empty of no classes."""
    if head == "cosine":
        return CosineHead(embedding_dim, num_classes)
    if not num_classes:
        return EmptyHead()
    return nn.Linear(embedding_dim, num_classes)
