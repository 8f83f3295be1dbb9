"""All classification scores of one set of predictions, and their tracking keys."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser import metrics


@dataclass(frozen=True, slots=True)
class Scores:
    """All classification scores of one set of predictions.

    Args:
        uar, wa, macro_f1, mcc, ece: See the functions of the same names.
        recall: Recall per emotion, in the order of the emotions.
        confusion: Counts `(num_classes, num_classes)`, rows truth.
    """

    uar: float
    wa: float
    macro_f1: float
    mcc: float
    ece: float
    recall: dict[str, float]
    confusion: NDArray[np.int64]

    def as_metrics(self, part: str) -> dict[str, float]:
        """Return the scores under their tracking keys, e.g. `test/uar`."""
        return {
            f"{part}/uar": self.uar,
            f"{part}/wa": self.wa,
            f"{part}/macro_f1": self.macro_f1,
            f"{part}/mcc": self.mcc,
            f"{part}/ece": self.ece,
            **{f"{part}/recall_{emotion}": value for emotion, value in self.recall.items()},
        }


def score(
    *, truth: ArrayLike, prediction: ArrayLike, probabilities: ArrayLike, emotions: Sequence[str]
) -> Scores:
    """Return every score of one set of predictions.

    Args:
        truth: Class indices `(num_utterances,)`.
        prediction: Class indices, same shape.
        probabilities: `(num_utterances, num_classes)`.
        emotions: Class names; their order gives the indices.

    Returns:
        The scores.

    Raises:
        ValueError: A class is absent from the truth, or the shapes do not fit.
    """
    num_classes = len(emotions)
    matrix = metrics.confusion(truth=truth, prediction=prediction, num_classes=num_classes)
    per_class = metrics.recalls(matrix)
    return Scores(
        uar=float(per_class.mean()),
        wa=metrics.wa(truth=truth, prediction=prediction),
        macro_f1=metrics.macro_f1(truth=truth, prediction=prediction, num_classes=num_classes),
        mcc=metrics.mcc(truth=truth, prediction=prediction, num_classes=num_classes),
        ece=metrics.ece(truth=truth, probabilities=probabilities),
        recall=dict(zip(emotions, per_class.tolist(), strict=True)),
        confusion=matrix,
    )
