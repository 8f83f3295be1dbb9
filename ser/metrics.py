"""Every score we report, defined once: NumPy in, float out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser.emotion import DIMENSIONS

NUM_CALIBRATION_BINS = 15
_LEAST_PROBABILITY = 1e-12


def confusion(*, truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix, rows truth, columns prediction.

    Args:
        truth: Class indices `(num_utterances,)` in [0, num_classes).
        prediction: Class indices, same shape.
        num_classes: Number of classes.

    Returns:
        Counts `(num_classes, num_classes)`.

    Raises:
        ValueError: Empty, of different lengths, or an index out of range.
    """
    truth_ids, predicted_ids = _indices(truth), _indices(prediction)
    if truth_ids.shape != predicted_ids.shape or truth_ids.size == 0:
        raise ValueError(
            f"truth and prediction must be equally long and not empty, "
            f"got {truth_ids.size} and {predicted_ids.size}"
        )
    for name, ids in (("truth", truth_ids), ("prediction", predicted_ids)):
        if ids.min() < 0 or ids.max() >= num_classes:
            raise ValueError(
                f"{name}: class indices must be in [0, {num_classes}), "
                f"got {ids.min()} to {ids.max()}"
            )
    cells = truth_ids * num_classes + predicted_ids
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def recalls(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the recall of each class: correct / spoken.

    Args:
        matrix: Confusion counts or weights `(num_classes, num_classes)`, rows truth.

    Returns:
        Recalls `(num_classes,)` in [0, 1].

    Raises:
        ValueError: A class has no utterance; an average over it would be no number.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    spoken = counts.sum(axis=1)
    if (spoken == 0).any():
        absent = np.flatnonzero(spoken == 0).tolist()
        raise ValueError(f"recall is undefined: no utterance has class index {absent}")
    return np.asarray(np.diag(counts) / spoken)


def precisions(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the precision of each class: correct / predicted; 0 where it is never predicted.

    Args:
        matrix: Confusion counts or weights `(num_classes, num_classes)`, rows truth.

    Returns:
        Precisions `(num_classes,)` in [0, 1].
    """
    counts = np.asarray(matrix, dtype=np.float64)
    said = counts.sum(axis=0)
    return np.asarray(np.diag(counts) / np.where(said > 0, said, 1.0))


def uar(*, truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> float:
    """Return the unweighted average recall, the headline number.

    The mean of the classes' recalls, so that each class counts the same however often
    it is spoken. 1 / num_classes is chance.

    Args:
        truth: Class indices `(num_utterances,)`.
        prediction: Class indices, same shape.
        num_classes: Number of classes.

    Returns:
        UAR in [0, 1].

    Raises:
        ValueError: A class is absent from the truth, or see `confusion`.

    Example:
        >>> uar(truth=[0, 0, 0, 1], prediction=[0, 0, 1, 1], num_classes=2)
        0.8333333333333333
    """
    matrix = confusion(truth=truth, prediction=prediction, num_classes=num_classes)
    return float(recalls(matrix).mean())


def wa(*, truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the weighted accuracy, the field's name for plain accuracy.

    Args:
        truth: Class indices `(num_utterances,)`.
        prediction: Class indices, same shape.

    Returns:
        Share of utterances that are right, in [0, 1].

    """
    return float(np.mean(_indices(truth) == _indices(prediction)))


def macro_f1(*, truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> float:
    """Return the mean over classes of 2 TP / (2 TP + FP + FN).

    Args:
        truth: Class indices `(num_utterances,)`.
        prediction: Class indices, same shape.
        num_classes: Number of classes.

    Returns:
        Macro-F1 in [0, 1].

    Raises:
        ValueError: A class is absent from the truth.
    """
    matrix = confusion(truth=truth, prediction=prediction, num_classes=num_classes)
    recalls(matrix)  # refuses absent classes
    hits = np.diag(matrix).astype(np.float64)
    return float(np.mean(2 * hits / (matrix.sum(axis=0) + matrix.sum(axis=1))))


def mcc(*, truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> float:
    """Return Matthews' correlation coefficient for several classes.

    Args:
        truth: Class indices `(num_utterances,)`.
        prediction: Class indices, same shape.
        num_classes: Number of classes.

    Returns:
        R_K in [-1, 1]; 0 where truth or prediction is constant.

    Source:
        Gorodkin (2004), "Comparing two K-category assignments by a K-category
        correlation coefficient", equation 8.
    """
    matrix = confusion(truth=truth, prediction=prediction, num_classes=num_classes)
    total, hits = float(matrix.sum()), float(np.trace(matrix))
    spoken, said = matrix.sum(axis=1).astype(np.float64), matrix.sum(axis=0).astype(np.float64)
    covariance = hits * total - spoken @ said
    spread = (total**2 - said @ said) * (total**2 - spoken @ spoken)
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def ece(
    *, truth: ArrayLike, probabilities: ArrayLike, num_bins: int = NUM_CALIBRATION_BINS
) -> float:
    """Return the expected calibration error of the most probable class.

    Utterances are binned by confidence p = max_k p_k into bins ((b - 1) / B, b / B];
    ECE = sum over bins of (share of utterances) * |accuracy - mean confidence|.

    Args:
        truth: Class indices `(num_utterances,)`.
        probabilities: `(num_utterances, num_classes)`, rows sum to one.
        num_bins: B, equally wide.

    Returns:
        ECE in [0, 1]; 0 is perfectly calibrated.

    Raises:
        ValueError: Shapes differ, or a row does not sum to one.

    Source:
        Guo et al. (2017), arXiv:1706.04599, equation 3.
    """
    bins = reliability(truth=truth, probabilities=probabilities, num_bins=num_bins)
    filled = bins.num_utterances > 0
    gaps = np.abs(bins.accuracy - bins.confidence)[filled]
    return float(gaps @ bins.num_utterances[filled] / bins.num_utterances.sum())


@dataclass(frozen=True, slots=True)
class Reliability:
    """What `ece` adds up, bin by bin; all arrays are `(num_bins,)`.

    Args:
        confidence, accuracy: Means over the bin's utterances, NaN where it has none.
        num_utterances: In the bin.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    num_utterances: NDArray[np.int64]


def reliability(
    *, truth: ArrayLike, probabilities: ArrayLike, num_bins: int = NUM_CALIBRATION_BINS
) -> Reliability:
    """Return confidence and accuracy by bins of confidence; see `ece` for the arguments."""
    table, truth_ids = _checked_probabilities(truth, probabilities)
    confidence = table.max(axis=1)
    correct = table.argmax(axis=1) == truth_ids
    # Rounded up so that the upper edge belongs to the bin, as in the paper.
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, v, num_bins) / counts for v in (confidence, correct)]
    return Reliability(means[0], means[1], counts.astype(np.int64))


def nll(*, truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the negative log-likelihood, the mean of -ln p(spoken emotion), in nats.

    Args:
        truth: Class indices `(num_utterances,)`.
        probabilities: `(num_utterances, num_classes)`, rows sum to one; what is below
            1e-12 counts as that.

    Returns:
        At least 0; ln num_classes for equal probabilities.

    Raises:
        ValueError: Shapes differ, or a row does not sum to one.
    """
    table, truth_ids = _checked_probabilities(truth, probabilities)
    spoken = table[np.arange(len(table)), truth_ids]
    return float(-np.log(np.maximum(spoken, _LEAST_PROBABILITY)).mean())


def brier(*, truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean squared distance of the probabilities from the truth (1 for it, else 0).

    Arguments and errors are those of `nll`.

    Returns:
        In [0, 2]; the sum over classes, as in the source, not half of it.

    Source:
        Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    table, truth_ids = _checked_probabilities(truth, probabilities)
    distance = table - np.eye(table.shape[1])[truth_ids]
    return float((distance**2).sum(axis=1).mean())


def _checked_probabilities(
    truth: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    table, truth_ids = np.asarray(probabilities, dtype=np.float64), _indices(truth)
    if table.ndim != 2 or len(table) != len(truth_ids) or not len(table):
        raise ValueError(f"expected one row per utterance, got {table.shape} for {truth_ids.shape}")
    if not np.allclose(table.sum(axis=1), 1.0, atol=1e-4):
        worst = float(np.abs(table.sum(axis=1) - 1.0).max())
        raise ValueError(f"probabilities must sum to one in every row; off by {worst:.3g}")
    return table, truth_ids


def ccc(*, truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return Lin's concordance correlation coefficient.

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2), all moments biased (1 / n).

    Args:
        truth: Values `(num_utterances,)`.
        prediction: Values, same shape.

    Returns:
        CCC in [-1, 1]; 0 where both are the same constant, the limit from perturbations
        that do not correlate.

    Source:
        Lin (1989), "A concordance correlation coefficient to evaluate reproducibility".
    """
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
    spread = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 2 * covariance / spread if spread > 0 else 0.0


def mae(*, truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the values.

    Args:
        truth: Values `(num_utterances,)`.
        prediction: Values, same shape.

    Returns:
        The mean of |truth - prediction|, at least 0.

    """
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return float(np.mean(np.abs(x - y)))


def rating_scores(*, truth: ArrayLike, prediction: ArrayLike) -> dict[str, float]:
    """Return CCC and MAE of each of `DIMENSIONS`, over the utterances rated on it.

    Args:
        truth: Ratings `(num_utterances, 3)` in points of their scale, NaN where there
            is none.
        prediction: Ratings, same shape, all there.

    Returns:
        `ccc_<dimension>`, in [-1, 1], and `mae_<dimension>`, in points. A dimension on
        which no utterance is rated has neither.

    Raises:
        ValueError: The shapes differ, or are not those of ratings.
    """
    ratings, predicted = (np.asarray(v, dtype=np.float64) for v in (truth, prediction))
    if ratings.shape != predicted.shape or ratings.shape[1:] != (len(DIMENSIONS),):
        raise ValueError(
            f"truth and prediction must both be (num_utterances, {len(DIMENSIONS)}), "
            f"got {ratings.shape} and {predicted.shape}"
        )
    scores: dict[str, float] = {}
    for dimension, values, said in zip(DIMENSIONS, ratings.T, predicted.T, strict=True):
        is_rated = ~np.isnan(values)
        if is_rated.any():
            pair = {"truth": values[is_rated], "prediction": said[is_rated]}
            scores |= {f"ccc_{dimension}": ccc(**pair), f"mae_{dimension}": mae(**pair)}
    return scores


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
    matrix = confusion(truth=truth, prediction=prediction, num_classes=num_classes)
    per_class = recalls(matrix)
    return Scores(
        uar=float(per_class.mean()),
        wa=wa(truth=truth, prediction=prediction),
        macro_f1=macro_f1(truth=truth, prediction=prediction, num_classes=num_classes),
        mcc=mcc(truth=truth, prediction=prediction, num_classes=num_classes),
        ece=ece(truth=truth, probabilities=probabilities),
        recall=dict(zip(emotions, per_class.tolist(), strict=True)),
        confusion=matrix,
    )


def _indices(values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"class indices must be integers, got {array.dtype}")
    return array.astype(np.int64)
