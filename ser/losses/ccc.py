"""CCC: Lin's concordance between two columns of numbers over the batch, beside cross-entropy.

With `targets: categories` each class is such a pair, its probability p_k and its target t_k
(1 where the utterance is of class k, else 0; or the share of the votes). With `targets: vad`,
CCC's original use, each of valence, arousal and dominance is one: what raters said, and what the
model's second head says. `targets: ratings` is the same for a corpus without classes.
"""

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ser.batch import ModelOutput
from ser.contracts import Loss
from ser.emotion import DIMENSIONS
from ser.losses._base import WeightedLoss, full_precision, is_shares
from ser.params import ComponentParams, Tunable

#: Added to the denominator; the variance of a target that varies is far above it.
_GUARD = 1e-8


class Params(ComponentParams):
    """The mix of the two terms, and what the second one compares.

    Args:
        weight: Share w of the concordance term, in [0, 1]; 0 is cross-entropy. Without
            classes there is nothing to mix, and it does nothing.
        targets: `categories` compares probabilities with the emotions. `vad` trains a
            second head on valence, arousal and dominance, in a corpus that has them. `ratings`
            trains that head alone, in a corpus without classes (`corpus.emotions: []`).
    """

    weight: Annotated[float, Tunable(0.0, 1.0)] = Field(0.5, ge=0.0, le=1.0)
    targets: Literal["categories", "vad", "ratings"] = "categories"


class CccLoss(WeightedLoss):
    """(1 - w) cross-entropy + w (1 - mean over classes of CCC_k).

    CCC_k = 2 cov(p_k, t_k) / (var p_k + var t_k + (mean p_k - mean t_k)^2 + g), all moments
    biased (divided by the batch size), g = 1e-8. The guard g decides what Lin's formula
    leaves open, the same constant in both columns: 0, as in `ser.concordance.ccc`.

    A target that is constant in the batch (a class that is absent from it, or the only one
    in it) has no covariance: its concordance is 0 whatever p_k is, and so is its gradient.
    A batch of one therefore learns from the cross-entropy alone, and with w = 1 not at all.

    Where shares of votes are learnt, t_k is the share, in both terms.

    The concordance is a statistic of the batch, not a mean over utterances: every class
    of a batch counts the same in it, and class weights act on the cross-entropy only.

    Args:
        weight: Share of the concordance term, in [0, 1].
        class_weights: One weight per class `(num_classes,)`, or None for equal ones.

    Source:
        Lin (1989), "A Concordance Correlation Coefficient to Evaluate Reproducibility",
        Biometrics 45(1), doi:10.2307/2532051. Its use on one-hot targets is ours.
    """

    learns_shares = True

    def __init__(self, weight: float, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.weight = weight

    def forward(
        self, output: ModelOutput, truth: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of logits `(batch, num_classes)` and labels or shares."""
        logits = full_precision(output.logits)
        entropy = self.entropy(logits, truth)
        targets = truth if is_shares(truth) else F.one_hot(truth, logits.shape[-1])
        mean = concordance(logits.softmax(dim=-1), targets.to(logits.dtype)).mean()
        return (1.0 - self.weight) * entropy + self.weight * (1.0 - mean)


class VadCccLoss(WeightedLoss):
    """(1 - w) cross-entropy + w (1 - mean over valence, arousal, dominance of CCC_d).

    CCC_d is the concordance of `CccLoss`, over the utterances of the batch that are rated
    on dimension d; it does not change if both columns are moved and stretched alike, so
    points of the scale do as well as any other unit.

    A dimension on which fewer than two utterances of the batch are rated, or all of them
    alike, has no covariance: its concordance is 0 whatever the model says, and so is its
    gradient. The mean is over all three dimensions all the same, so that an utterance
    pulls as hard in a batch where another dimension is missing.

    Args:
        weight: Share of the concordance term, in [0, 1]; with 1 the classes are not learnt.
        class_weights: One weight per class `(num_classes,)`, or None for equal ones; they
            act on the cross-entropy only.

    Source:
        Lin (1989), as in `CccLoss`; as a loss on several emotional dimensions at once:
        Parthasarathy and Busso (2017), "Jointly Predicting Arousal, Valence and Dominance
        with Multi-Task Learning", Interspeech. Equal shares of the dimensions, and
        cross-entropy beside them, are ours.
    """

    num_ratings = len(DIMENSIONS)
    learns_shares = True

    def __init__(self, weight: float, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.weight = weight

    def forward(
        self, output: ModelOutput, truth: Tensor, ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of logits, labels or shares, and two times ratings `(batch, 3)`.

        Raises:
            ValueError: The model does not rate, or there are no ratings to learn.
        """
        if output.ratings is None or ratings is None:
            raise ValueError("targets: vad needs a model that rates, and ratings")
        logits, said = full_precision(output.logits), full_precision(output.ratings)
        entropy = self.entropy(logits, truth)
        mean = rated_concordance(ratings.to(said.dtype), said).mean()
        return (1.0 - self.weight) * entropy + self.weight * (1.0 - mean)


class RatingsCccLoss(WeightedLoss):
    """1 - mean over valence, arousal, dominance of CCC_d, see `VadCccLoss`: no classes are learnt.

    Where the corpus rates fewer than three dimensions, the others count as 0 in the mean: the
    loss then ends above 0, and the gradients are smaller by that share.

    Args:
        class_weights: None, there are no classes.
    """

    num_ratings = len(DIMENSIONS)
    learns_classes = False

    def forward(
        self, output: ModelOutput, _labels: Tensor, ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of two times ratings `(batch, 3)`.

        Raises:
            ValueError: The model does not rate, or there are no ratings to learn.
        """
        if output.ratings is None or ratings is None:
            raise ValueError("targets: ratings needs a model that rates, and ratings")
        said = full_precision(output.ratings)
        mean = rated_concordance(ratings.to(said.dtype), said).mean()
        return 1.0 - mean


def rated_concordance(ratings: Tensor, said: Tensor) -> Tensor:
    """Return the concordance per dimension, over the rows that are rated on it.

    Args:
        ratings: `(batch, num_dimensions)`, NaN where there is none.
        said: `(batch, num_dimensions)`, finite.

    Returns:
        `(num_dimensions,)`, in [-1, 1]; exactly 0, with a gradient of 0, where fewer than
        two ratings differ.
    """
    is_rated = ~ratings.isnan()
    num_rated = is_rated.sum(dim=0).clamp_min(1)

    def mean(values: Tensor) -> Tensor:
        return values.where(is_rated, 0.0).sum(dim=0) / num_rated

    # Filled before and not after: the gradient of a masked product with NaN is NaN.
    first = ratings.where(is_rated, 0.0)
    first_mean, second_mean = mean(first), mean(said)
    first_rest, second_rest = first - first_mean, said - second_mean
    variances = mean(first_rest.square()) + mean(second_rest.square())
    distance = (first_mean - second_mean).square()
    found = 2.0 * mean(first_rest * second_rest) / (variances + distance + _GUARD)
    # Said by the ratings themselves: the mean of equal ones may differ from them by rounding.
    infinity = float("inf")
    highest = ratings.where(is_rated, -infinity).amax(dim=0)
    lowest = ratings.where(is_rated, infinity).amin(dim=0)
    return found.where(highest > lowest, 0.0)


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


def build(
    params: Params,
    *,
    num_classes: int,  # noqa: ARG001 (part of the family's interface)
    class_weights: Tensor | None,
) -> Loss:
    """Return the loss on the targets of the params."""
    if params.targets == "ratings":
        return RatingsCccLoss(class_weights)
    kind = VadCccLoss if params.targets == "vad" else CccLoss
    return kind(params.weight, class_weights)
