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
        # In half precision the norms of long vectors overflow, and a cosine near 1 has too
        # few digits left to be scaled; autocast would make this product one in halves.
        with torch.autocast(embedding.device.type, enabled=False):
            unit = F.normalize(embedding.float(), dim=-1)
            return F.linear(unit, F.normalize(self.prototypes.float(), dim=-1))

    @torch.no_grad()
    def prototype_cosines(self) -> Tensor:
        """Return the cosines between the prototypes `(num_classes, num_classes)`."""
        cosines: Tensor = self(self.prototypes)
        return cosines


def build_head(head: HeadName, *, embedding_dim: int, num_classes: int) -> nn.Module:
    """Return a head: `(batch, embedding_dim)` -> `(batch, num_classes)`."""
    if head == "cosine":
        return CosineHead(embedding_dim, num_classes)
    return nn.Linear(embedding_dim, num_classes)
