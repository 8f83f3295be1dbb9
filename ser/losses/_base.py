"""What every loss promises."""

from typing import Protocol

from torch import Tensor

from ser.batch import HeadName, ModelOutput


class Loss(Protocol):
    """An `nn.Module` without learnable weights, with this `forward`.

    Attributes:
        head: The model head whose logits it is defined on.
        logit_scale: Probabilities are softmax(logit_scale * logits); 1 for a linear head.
        num_ratings: Dimensions that the loss wants rated, in the order of
            `ser.emotion.DIMENSIONS`: 0, or 3 where its params say `targets: vad`. Then the
            model gets a second head, and `ModelOutput.ratings` and the ratings are there.
    """

    head: HeadName
    logit_scale: float
    num_ratings: int

    def __call__(
        self, output: ModelOutput, labels: Tensor, ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the mean loss of a batch.

        Args:
            output: Embedding `(batch, embedding_dim)` and logits `(batch, num_classes)`.
            labels: Class indices `(batch,)`.
            ratings: `(batch, 3)`, NaN where there is none. A loss without `num_ratings`
                never looks at them.

        Returns:
            A scalar `()`, float32; float64 where the logits are.
        """

    def start_epoch(self, epoch: int) -> None:
        """Set what the loss changes over training; called before every epoch.

        It depends on the epoch alone, never on the calls before, so that a fit which
        resumes sees the same loss as one that was never interrupted.

        Args:
            epoch: The epoch that begins, from 1.
        """

    def diagnose(self, output: ModelOutput, labels: Tensor, /) -> dict[str, float]:
        """Return what else is worth a curve, measured on a whole part; often nothing.

        Args:
            output: Embedding `(num_utterances, embedding_dim)`, logits
                `(num_utterances, num_classes)`.
            labels: Class indices `(num_utterances,)`.

        Returns:
            Name -> value, finite; the names carry no part.
        """
