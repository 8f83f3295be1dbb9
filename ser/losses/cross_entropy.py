"""Cross-entropy: the mean negative log-probability of the true class.

With class weights w the mean is weighted, as in `torch.nn.CrossEntropyLoss`:
sum_i w_{y_i} (-log p_{i, y_i}) / sum_i w_{y_i}. Of shares t of votes it is
sum_ik w_k t_ik (-log p_ik) / sum_ik w_k t_ik, the mean over all votes, each a label.
"""

from torch import Tensor

from ser.batch import ModelOutput
from ser.contracts import Loss
from ser.losses._base import WeightedLoss, full_precision
from ser.params import ComponentParams


class Params(ComponentParams):
    """Cross-entropy has no knobs; class weights are the grid's, see `training.balance`."""


class CrossEntropyLoss(WeightedLoss):
    """Weighted mean of -log softmax(logits)[label], over utterances or over shares of votes.

    Args:
        class_weights: One weight per class `(num_classes,)`, or None for equal ones.

    Source:
        Bishop (2006), "Pattern Recognition and Machine Learning", equation 4.108.
    """

    learns_shares = True

    def forward(
        self, output: ModelOutput, truth: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of logits `(batch, num_classes)` and labels or shares."""
        return self.entropy(full_precision(output.logits), truth)


def build(_params: Params, *, num_classes: int, class_weights: Tensor | None) -> Loss:  # noqa: ARG001
    """Return the loss; `num_classes` is part of the family's interface."""
    return CrossEntropyLoss(class_weights)
