"""Cross-entropy: the mean negative log-probability of the true class.

With class weights w the mean is weighted, as in `torch.nn.CrossEntropyLoss`:
sum_i w_{y_i} (-log p_{i, y_i}) / sum_i w_{y_i}.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ser.batch import ModelOutput
from ser.losses._precision import full_precision, weights_like
from ser.params import ComponentParams


class Params(ComponentParams):
    """Cross-entropy has no knobs; class weights are the grid's, see `training.balance`."""


class CrossEntropyLoss(nn.Module):
    """Weighted mean of -log softmax(logits)[label].

    Args:
        class_weights: One weight per class `(num_classes,)`, or None for equal ones.

    Source:
        Bishop (2006), "Pattern Recognition and Machine Learning", equation 4.108.
    """

    head = "linear"
    logit_scale = 1.0
    num_ratings = 0

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.class_weights: Tensor | None

    def start_epoch(self, epoch: int) -> None:
        """Do nothing: the loss is the same in every epoch."""

    def diagnose(self, _output: ModelOutput, _labels: Tensor, /) -> dict[str, float]:
        """Return nothing: the loss has no curves of its own."""
        return {}

    def forward(
        self, output: ModelOutput, labels: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of logits `(batch, num_classes)` and labels `(batch,)`."""
        logits = full_precision(output.logits)
        return F.cross_entropy(logits, labels, weight=weights_like(self.class_weights, logits))


def build(_params: Params, *, num_classes: int, class_weights: Tensor | None) -> CrossEntropyLoss:  # noqa: ARG001
    """Return the loss; `num_classes` is part of the family's interface."""
    return CrossEntropyLoss(class_weights)
