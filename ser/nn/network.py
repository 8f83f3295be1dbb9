"""What all models have in common."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ser.batch import ModelOutput
from ser.nn.heads import CosineHead, Head


class Network(nn.Module, ABC):
    """A `ser.contracts.Model` that embeds and then classifies; a subclass computes `forward`.

    By default it is trained from scratch on normalised features. A subclass sets
    `embedding_dim` and, as its last layer, `head`.
    """

    embedding_dim: int
    normalises_inputs: bool = True
    origin: str = "from scratch"
    num_ratings: int = 0
    head: Head

    @abstractmethod
    def forward(self, inputs: Tensor, lengths: Tensor, /) -> ModelOutput:
        """Classify a padded batch; see `ser.contracts.Model.forward`."""

    def parameter_depth(self, name: str) -> int:  # noqa: ARG002 (nothing is pretrained)
        """Return 0: every weight is fresh."""
        return 0

    def weighs_layers(self, name: str) -> bool:  # noqa: ARG002 (no layer is frozen)
        """Return False: no weighting of frozen layers is learnt."""
        return False

    def prototypes(self) -> Tensor | None:
        """Return a cosine head's prototypes `(num_classes, embedding_dim)`, else None."""
        return self.head.prototypes.detach() if isinstance(self.head, CosineHead) else None

    def layer_weights(self) -> list[float] | None:
        """Return None: no weighting of frozen layers is learnt."""
        return None
