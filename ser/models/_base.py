"""What every model promises."""

from typing import Protocol

from torch import Tensor

from ser.batch import ModelOutput


class Model(Protocol):
    """An `nn.Module` with this `forward`; padding never changes its answer.

    Attributes:
        embedding_dim: Width of `ModelOutput.embedding`.
    """

    embedding_dim: int

    def __call__(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify a padded batch.

        Args:
            inputs: Normalised features `(batch, num_frames, num_bins)`.
            lengths: Valid frames per row `(batch,)`, each at least 1.

        Returns:
            Embedding `(batch, embedding_dim)` and logits `(batch, num_classes)`.
        """
