"""What losses on classes have in common."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ser.batch import HeadName, ModelOutput


class WeightedLoss(nn.Module, ABC):
    """A `ser.contracts.Loss` that weighs classes; a subclass computes `forward`.

    By default it is a loss on a linear head's logits, the same in every epoch, without
    curves of its own.

    Args:
        class_weights: One weight per class `(num_classes,)`, or None for equal ones. They
            belong to a fold's train part, so they move with the loss and are not saved.
    """

    head: HeadName = "linear"
    logit_scale: float = 1.0
    num_ratings: int = 0
    learns_classes: bool = True
    class_weights: Tensor | None

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)

    @abstractmethod
    def forward(
        self, output: ModelOutput, labels: Tensor, ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of a batch; see `ser.contracts.Loss.forward`."""

    def start_epoch(self, epoch: int) -> None:
        """Do nothing: the loss is the same in every epoch."""

    def diagnose(self, output: ModelOutput, labels: Tensor, /) -> dict[str, float]:  # noqa: ARG002
        """Return nothing: the loss has no curves of its own."""
        return {}

    def weights_like(self, logits: Tensor) -> Tensor | None:
        """Return the class weights in the type of the logits, or None."""
        return None if self.class_weights is None else self.class_weights.to(logits.dtype)


def full_precision(values: Tensor) -> Tensor:
    """Return half-precision values as float32, float32 and float64 as they are.

    Example:
        >>> full_precision(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
