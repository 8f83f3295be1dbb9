"""CCC for categories: Lin's concordance between probabilities and one-hot targets.

Each class is a column of numbers over the batch, its probability p_k and its target t_k
(1 where the utterance is of class k, else 0); how well the columns agree is their
concordance correlation coefficient. It is mixed with cross-entropy.
"""

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ser.batch import ModelOutput
from ser.losses._precision import full_precision, weights_like
from ser.params import ComponentParams

#: Added to the denominator; the variance of a target that varies is far above it.
_GUARD = 1e-8


class Params(ComponentParams):
    """The mix of the two terms.

    Args:
        weight: Share w of the concordance term, in [0, 1]; 0 is cross-entropy.
    """

    weight: float = Field(0.5, ge=0.0, le=1.0)


class CccLoss(nn.Module):
    """(1 - w) cross-entropy + w (1 - mean over classes of CCC_k).

    CCC_k = 2 cov(p_k, t_k) / (var p_k + var t_k + (mean p_k - mean t_k)^2 + g), all moments
    biased (divided by the batch size), g = 1e-8. The guard g decides what Lin's formula
    leaves open, the same constant in both columns: 0, as in `ser.metrics.ccc`.

    A target that is constant in the batch (a class that is absent from it, or the only one
    in it) has no covariance: its concordance is 0 whatever p_k is, and so is its gradient.
    A batch of one therefore learns from the cross-entropy alone, and with w = 1 not at all.

    The concordance is a statistic of the batch, not a mean over utterances: every class
    of a batch counts the same in it, and class weights act on the cross-entropy only.

    Args:
        weight: Share of the concordance term, in [0, 1].
        class_weights: One weight per class `(num_classes,)`, or None for equal ones.

    Source:
        Lin (1989), "A Concordance Correlation Coefficient to Evaluate Reproducibility",
        Biometrics 45(1), doi:10.2307/2532051. Its use on one-hot targets is ours.
    """

    head = "linear"
    logit_scale = 1.0

    def __init__(self, weight: float, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.class_weights: Tensor | None

    def start_epoch(self, epoch: int) -> None:
        """Do nothing: the loss is the same in every epoch."""

    def diagnose(self, _output: ModelOutput, _labels: Tensor, /) -> dict[str, float]:
        """Return nothing: the loss has no curves of its own."""
        return {}

    def forward(self, output: ModelOutput, labels: Tensor) -> Tensor:
        """Return the loss `()` of logits `(batch, num_classes)` and labels `(batch,)`."""
        logits = full_precision(output.logits)
        entropy = F.cross_entropy(logits, labels, weight=weights_like(self.class_weights, logits))
        targets = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)
        mean = concordance(logits.softmax(dim=-1), targets).mean()
        return (1.0 - self.weight) * entropy + self.weight * (1.0 - mean)


def concordance(first: Tensor, second: Tensor) -> Tensor:
    """Return Lin's concordance of each pair of columns, guarded as `CccLoss` says.

    Args:
        first: `(batch, num_columns)`.
        second: `(batch, num_columns)`.

    Returns:
        `(num_columns,)`, in [-1, 1].
    """
    first_mean, second_mean = first.mean(dim=0), second.mean(dim=0)
    first_rest, second_rest = first - first_mean, second - second_mean
    covariance = (first_rest * second_rest).mean(dim=0)
    variances = first_rest.square().mean(dim=0) + second_rest.square().mean(dim=0)
    distance = (first_mean - second_mean).square()
    return 2.0 * covariance / (variances + distance + _GUARD)


def build(params: Params, *, num_classes: int, class_weights: Tensor | None) -> CccLoss:  # noqa: ARG001
    """Return the loss; `num_classes` is part of the family's interface."""
    return CccLoss(params.weight, class_weights)
