"""What every model promises."""

from typing import Protocol

from torch import Tensor

from ser.batch import ModelOutput


class Model(Protocol):
    """An `nn.Module` with this `forward`; padding never changes its answer.

    Attributes:
        embedding_dim: Width of `ModelOutput.embedding`.
        normalises_inputs: Whether each bin shall be normalised by the statistics of the
            fold's train part; False for a network whose published weights expect the
            features as they are.
        origin: Where the weights come from before training, for people: `from scratch`,
            or the checkpoint's name.
    """

    embedding_dim: int
    normalises_inputs: bool
    origin: str

    def __call__(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify a padded batch.

        Args:
            inputs: Features `(batch, num_frames, num_bins)`, see `normalises_inputs`.
            lengths: Valid frames per row `(batch,)`, each at least 1.

        Returns:
            Embedding `(batch, embedding_dim)` and logits `(batch, num_classes)`.
        """

    def parameter_depth(self, name: str) -> int:
        """Return how far below the head a pretrained parameter lies.

        Args:
            name: As in `named_parameters()`.

        Returns:
            0 for what starts from fresh weights; 1 for the topmost pretrained layer, 2
            for the one below it, and so on.
        """
