"""What losses on classes have in common."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.batch import HeadName, ModelOutput


class WeightedLoss(nn.Module, ABC):
    """A `ser.contracts.Loss` that weighs classes; a subclass computes `forward`.

    By default it is a loss on a linear head's logits and on labels, the same in every epoch,
    without curves of its own.

    Args:
        class_weights: One weight per class `(num_classes,)`, or None for equal ones. They
            belong to a fold's train part, so they move with the loss and are not saved.
    """

    head: HeadName = "linear"
    logit_scale: float = 1.0
    num_ratings: int = 0
    learns_classes: bool = True
    learns_shares: bool = False
    class_weights: Tensor | None

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)

    @abstractmethod
    def forward(
        self, output: ModelOutput, truth: Tensor, ratings: Tensor | None = None, /
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

    def weighed(self, shares: Tensor, logits: Tensor) -> Tensor:
        """Return shares `(batch, num_classes)` times the class weights, in the logits' type."""
        weights, typed = self.weights_like(logits), shares.to(logits.dtype)
        return typed if weights is None else typed * weights

    def entropy(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Return the weighted cross-entropy `()` with labels or with shares of votes.

        With shares t and weights w it is sum_ik w_k t_ik (-log p_ik) / sum_ik w_k t_ik, which
        is the one with labels where all votes of an utterance agree. (Torch divides by the
        number of utterances there.)

        Args:
            logits: `(batch, num_classes)`, float32 or float64.
            truth: See `ser.contracts.Loss.forward`.
        """
        if not is_shares(truth):
            return F.cross_entropy(logits, truth, weight=self.weights_like(logits))
        weighed = self.weighed(truth, logits)
        return -(weighed * logits.log_softmax(dim=-1)).sum() / weighed.sum()


def is_shares(truth: Tensor) -> bool:
    """Return whether a truth is shares of votes per class; else it is class indices."""
    return truth.is_floating_point()


def full_precision(values: Tensor) -> Tensor:
    """Return half-precision values as float32, float32 and float64 as they are.

    Example:
        >>> full_precision(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
