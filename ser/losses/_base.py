"""What every loss promises."""

from typing import Protocol

from torch import Tensor

from ser.batch import HeadName, ModelOutput


class Loss(Protocol):
    """An `nn.Module` without learnable weights, with this `forward`.

    Attributes:
        head: The model head whose logits it is defined on.
        logit_scale: Probabilities are softmax(logit_scale * logits); 1 for a linear head.
    """

    head: HeadName
    logit_scale: float

    def __call__(self, output: ModelOutput, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch.

        Args:
            output: Embedding `(batch, embedding_dim)` and logits `(batch, num_classes)`.
            labels: Class indices `(batch,)`.

        Returns:
            A scalar `()`, float32.
        """
