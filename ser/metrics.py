"""Every score of classes that we report, defined once: NumPy in, float out.

Those of ratings are in `ser.concordance`; `ser.scores` puts a set of them together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def tallies(matrices: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each class is right, and how often it is spoken.

    Args:
        matrices: Confusion counts or weights `(..., num_classes, num_classes)`, rows truth:
            one matrix, or one per speaker or resample.

    Returns:
        Hits and occurrences, both `(..., num_classes)`.
    """
    counts = np.asarray(matrices, dtype=np.float64)
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)


def recalls(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the recall of each class: correct / spoken.

    Args:
        matrix: Confusion counts or weights `(..., num_classes, num_classes)`, rows truth.

    Returns:
        Recalls `(..., num_classes)` in [0, 1].

    Raises:
        ValueError: A class has no utterance; an average over it would be no number.
    """
    return _shares(*tallies(matrix))


def recalls_where_spoken(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return what `recalls` does, and NaN for a class that is not spoken."""
    hits, spoken = tallies(matrix)
    return np.where(spoken > 0, hits / np.where(spoken > 0, spoken, 1.0), np.nan)


def uar_of(hits: NDArray[np.float64], spoken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the UAR of tallies: the mean over classes of hits / spoken.

    It is linear in the hits: for a difference of hits it is the difference of two UARs, for
    one speaker's hits over everybody's occurrences what this speaker adds to the UAR.

    Args:
        hits: See `tallies`, `(..., num_classes)`.
        spoken: The same; one of the two may be broadcast to the other.

    Returns:
        `(...)`, in [0, 1] for counts.

    Raises:
        ValueError: A class is spoken by nobody.
    """
    return np.asarray(_shares(hits, spoken).mean(axis=-1))


def uar_where_spoken(matrices: ArrayLike) -> NDArray[np.float64]:
    """Return the UAR over the classes that are spoken in each matrix.

    Args:
        matrices: Confusion counts `(..., num_classes, num_classes)`, none of them empty.

    Returns:
        `(...)` in [0, 1].
    """
    return np.asarray(np.nanmean(recalls_where_spoken(matrices), axis=-1))


def wa_of(hits: NDArray[np.float64], spoken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the WA of tallies `(..., num_classes)`: the share that is right `(...)`."""
    return np.asarray(hits.sum(axis=-1) / spoken.sum(axis=-1))


def _shares(hits: NDArray[np.float64], spoken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return hits / spoken, which no class may leave undefined."""
    is_absent = (spoken == 0).reshape(-1, spoken.shape[-1]).any(axis=0)
    if is_absent.any():
        absent = np.flatnonzero(is_absent).tolist()
        raise ValueError(f"recall is undefined: no utterance has class index {absent}")
    return np.asarray(hits / spoken)


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


def _indices(values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"class indices must be integers, got {array.dtype}")
    return array.astype(np.int64)
