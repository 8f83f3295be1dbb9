"""AAM (ArcFace): cross-entropy on cosines, with a margin added to the true class' angle.

The cosines between an embedding and the classes' prototypes come from the model's cosine
head, which owns the prototypes and also predicts, without the margin.
"""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ser.batch import ModelOutput
from ser.contracts import Loss
from ser.losses._base import WeightedLoss, full_precision
from ser.params import ComponentParams, Tunable

#: Cosines are kept this far from -1 and 1 where a slope is infinite there.
_INSIDE = 1e-6


class Params(ComponentParams):
    """Margin, its warm-up, and scale.

    The published study took margin 0.5 and scale 30 from face recognition, from the first
    step on, and its training ended near collapse. With all cosines at 0, as at the start,
    the margin costs scale * sin(margin) = 14.4; all embeddings and all prototypes in one
    direction lower that to scale * (1 - cos(margin)) = 3.7 without telling any class apart
    (for four classes the loss falls from 15.48 to 4.78; theirs ended at 5.27). The defaults
    leave little to gain there (3.2 to 0.3), and the warm-up nothing while the prototypes
    find their places: with margin 0 both ends cost log K.

    Args:
        margin_rad: Added to the true class' angle, in radians, in [0, pi/2].
        scale: Factor of the cosines before softmax, in (0, 100].
        warmup_epochs: Epochs in which the margin rises linearly from 0, which it is in
            epoch 1; epoch warmup_epochs + 1 is the first with all of it. 0: from the start.
    """

    margin_rad: Annotated[float, Tunable(0.0, 0.6, unit="rad", published=0.5)] = Field(
        0.2, ge=0.0, le=math.pi / 2
    )
    scale: Annotated[float, Tunable(4.0, 64.0, log=True, published=30.0)] = Field(
        16.0, gt=0.0, le=100.0
    )
    warmup_epochs: Annotated[int, Tunable(0, 10, unit="epochs", published=0)] = Field(
        5, ge=0, le=10_000
    )


class AamLoss(WeightedLoss):
    """Cross-entropy of scale * cos(theta_k), with theta_y + margin for the true class y.

    Where theta_y + margin would pass pi, cos(theta_y + margin) would rise again. Beyond
    theta_y = pi - margin the true class' value is therefore cos(theta_y) - (1 - cos(margin)),
    which goes on falling and meets it there. (ArcFace's own code goes on with cos(theta_y) -
    margin * sin(margin), which jumps at that angle, at margin 0.5 from -1 to -1.117.)

    Margin 0 is scaled cosine cross-entropy exactly. Before the first `start_epoch` the
    margin is whole.

    Shares of votes are not learnt: a margin asks that one class wins by so much, and votes say
    by how much. With shares of 0.7 and 0.3, opposite prototypes, margin 0.2 and scale 16, the
    mean over the votes is least at probabilities of 0.97 and 0.03.

    Args:
        margin_rad: Margin in radians, in [0, pi/2].
        scale: Factor of the cosines.
        warmup_epochs: Epochs in which the margin rises from 0.
        class_weights: One weight per class `(num_classes,)`, or None for equal ones; the
            mean is weighted as in cross-entropy.

    Source:
        Deng, Guo, Xue and Zafeiriou (2019), "ArcFace: Additive Angular Margin Loss for
        Deep Face Recognition", equation 3, arXiv:1801.07698. The continuation beyond
        pi - margin is that of WeSpeaker's ArcMarginProduct.
    """

    head = "cosine"

    def __init__(
        self,
        margin_rad: float,
        scale: float,
        warmup_epochs: int = 0,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(class_weights)
        self.margin_rad, self.logit_scale, self.warmup_epochs = margin_rad, scale, warmup_epochs
        self.current_margin_rad = margin_rad

    def start_epoch(self, epoch: int) -> None:
        """Set the margin of an epoch, counted from 1."""
        share = min(1.0, (epoch - 1) / self.warmup_epochs) if self.warmup_epochs else 1.0
        self.current_margin_rad = share * self.margin_rad

    @torch.no_grad()
    def diagnose(self, output: ModelOutput, labels: Tensor, /) -> dict[str, float]:
        """Return the mean angle to the true class' prototype and the margin, in radians."""
        cosines = full_precision(output.logits).gather(1, labels.unsqueeze(1))
        return {
            "mean_target_angle_rad": float(cosines.clamp(-1.0, 1.0).acos().mean()),
            "margin_rad": self.current_margin_rad,
        }

    def forward(
        self, output: ModelOutput, labels: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the loss `()` of cosines `(batch, num_classes)` and labels `(batch,)`."""
        cosines = full_precision(output.logits)
        is_target = F.one_hot(labels, cosines.shape[-1]).bool()
        moved = torch.where(is_target, with_margin(cosines, self.current_margin_rad), cosines)
        return F.cross_entropy(self.logit_scale * moved, labels, weight=self.weights_like(moved))


def with_margin(cosines: Tensor, margin_rad: float) -> Tensor:
    """Return cos(theta + margin), continued beyond theta = pi - margin as `AamLoss` says.

    Args:
        cosines: cos(theta), any shape, in [-1, 1] but for rounding.
        margin_rad: In [0, pi/2]; 0 returns the cosines bit by bit.

    Returns:
        Same shape; falls with theta everywhere.
    """
    inside = cosines.clamp(-1.0 + _INSIDE, 1.0 - _INSIDE)
    # Only the sine needs it: its slope is infinite at cosines of -1 and 1.
    sines = (1.0 - inside.square()).sqrt()
    moved = math.cos(margin_rad) * cosines - math.sin(margin_rad) * sines
    beyond = cosines - (1.0 - math.cos(margin_rad))
    return torch.where(cosines > -math.cos(margin_rad), moved, beyond)


def build(params: Params, *, num_classes: int, class_weights: Tensor | None) -> Loss:  # noqa: ARG001
    """Return the loss; the prototypes, one per class, are the head's."""
    return AamLoss(params.margin_rad, params.scale, params.warmup_epochs, class_weights)
