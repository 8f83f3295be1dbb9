"""Focal loss: cross-entropy that turns away from what is already classified well.

Per utterance it is alpha_y (1 - p_y)^gamma (-log p_y). The variant is the multi-class one
on softmax probabilities; the paper's own is binary, on sigmoids. Of shares t of votes it is
sum_k alpha_k t_k |t_k - p_k|^gamma (-log p_k): the factor of quality focal loss, which turns
away from what is close to its share already, and so is least, and 0, where p is t.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ser.batch import ModelOutput
from ser.contracts import Loss
from ser.losses._base import WeightedLoss, full_precision, is_shares
from ser.params import ComponentParams, Tunable


class Params(ComponentParams):
    """How strongly easy utterances are turned down, and frequent classes.

    Args:
        gamma: Exponent of 1 - p_y, in [0, 10]; 0 is cross-entropy.
        alpha: Exponent of the class weights, in [0, 2]: 1 takes them as they are, 0 takes
            all classes alike. Without class weights it rests.
    """

    gamma: Annotated[float, Tunable(0.0, 5.0, published=2.0)] = Field(2.0, ge=0.0, le=10.0)
    alpha: Annotated[float, Tunable(0.0, 2.0, published=1.0)] = Field(1.0, ge=0.0, le=2.0)


class FocalLoss(WeightedLoss):
    """Weighted mean of (1 - p_y)^gamma (-log p_y).

    Class weights to the power of the param alpha, where given, are the paper's alpha_y. The
    mean is normalised by them, sum_i alpha_{y_i} f_i / sum_i alpha_{y_i}, so that gamma 0 is
    weighted cross-entropy exactly; the modulating factor is not part of the normalisation.
    With shares of votes the mean is over these, sum_ik alpha_k t_ik f_ik / sum_ik alpha_k t_ik.

    Args:
        gamma: Exponent of 1 - p_y, at least 0.
        class_weights: Alpha per class `(num_classes,)`, or None for equal ones.

    Source:
        Lin, Goyal, Girshick, He and Dollar (2017), "Focal Loss for Dense Object
        Detection", equation 5, arXiv:1708.02002. For shares: Li et al. (2020), "Generalized
        Focal Loss", arXiv:2006.04388, quality focal loss, whose sigmoid is a softmax here.
    """

    learns_shares = True

    def __init__(self, gamma: float, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.gamma = gamma

    def forward(
        self, output: ModelOutput, truth: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of logits `(batch, num_classes)` and labels or shares."""
        log_p = full_precision(output.logits).log_softmax(dim=-1)
        # expm1: 1 - p loses its digits where p is near 1. At p = 1 the slope of a power below
        # 1 is infinite, and infinity times the zero of log p would be NaN: hence the floor.
        rest = -torch.expm1(log_p)
        if is_shares(truth):
            rest = (rest - (1.0 - truth)).abs()  # |share - p|
        rest = rest.clamp_min(torch.finfo(log_p.dtype).tiny)
        modulated = rest**self.gamma * log_p  # (batch, num_classes)
        if is_shares(truth):
            weighed = self.weighed(truth, log_p)
            return -(weighed * modulated).sum() / weighed.sum()
        # It picks the true class and averages with the very arithmetic of cross-entropy.
        return F.nll_loss(modulated, truth, weight=self.weights_like(log_p))


def build(params: Params, *, num_classes: int, class_weights: Tensor | None) -> Loss:  # noqa: ARG001
    """Return the loss; `num_classes` is part of the family's interface."""
    if class_weights is not None and params.alpha != 1.0:
        class_weights = class_weights**params.alpha
    return FocalLoss(params.gamma, class_weights)
