"""Label smoothing: cross-entropy with targets that are a little less than certain.

The variant is epsilon/K, as in `torch.nn.CrossEntropyLoss`: the true class gets
1 - epsilon + epsilon/K, each other one epsilon/K. (The epsilon/(K-1) form, which gives the
true class 1 - epsilon, is the same loss with epsilon smaller by (K-1)/K.)
"""

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ser.batch import ModelOutput
from ser.contracts import Loss
from ser.losses._base import WeightedLoss, full_precision, is_shares
from ser.params import ComponentParams, Tunable


class Params(ComponentParams):
    """How much of the target is spread.

    Args:
        epsilon: Share spread evenly over all classes, the true one included, in [0, 1).
    """

    epsilon: Annotated[float, Tunable(0.0, 0.4, published=0.1)] = Field(0.1, ge=0.0, lt=1.0)


class LabelSmoothingLoss(WeightedLoss):
    """(1 - epsilon) times cross-entropy plus epsilon times the mean over all classes.

    With weights w it is, as in torch, sum_i sum_k w_k q_ik (-log p_ik) / sum_i w_{y_i},
    where q_i is the smoothed target of utterance i. Shares t_i of votes are smoothed alike,
    q_i = (1 - epsilon) t_i + epsilon/K, and divided by sum_i sum_k w_k t_ik.

    Args:
        epsilon: Share spread over the K classes, in [0, 1); 0 is cross-entropy.
        class_weights: One weight per class `(num_classes,)`, or None for equal ones.

    Source:
        Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), "Rethinking the Inception
        Architecture for Computer Vision", section 7, arXiv:1512.00567.
    """

    learns_shares = True

    def __init__(self, epsilon: float, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.epsilon = epsilon

    def forward(
        self, output: ModelOutput, truth: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of logits `(batch, num_classes)` and labels or shares."""
        logits = full_precision(output.logits)
        if is_shares(truth):
            smoothed = (1.0 - self.epsilon) * truth + self.epsilon / truth.shape[-1]
            weighed = self.weighed(smoothed, logits) * logits.log_softmax(dim=-1)
            return -weighed.sum() / self.weighed(truth, logits).sum()
        return F.cross_entropy(
            logits,
            truth,
            weight=self.weights_like(logits),
            label_smoothing=self.epsilon,
        )


def build(params: Params, *, num_classes: int, class_weights: Tensor | None) -> Loss:  # noqa: ARG001
    """Return the loss; K is read from the logits."""
    return LabelSmoothingLoss(params.epsilon, class_weights)
