"""How well ratings are predicted: concordance and error, NumPy in, float out."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ser.emotion import DIMENSIONS


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


def mean_ccc(scores: Mapping[str, float]) -> float:
    """Return the mean CCC over the dimensions of some rating scores.

    Args:
        scores: As from `rating_scores`.

    Returns:
        In [-1, 1]; NaN where no dimension is rated.

    Example:
        >>> mean_ccc({"ccc_valence": 0.2, "mae_valence": 0.9, "ccc_arousal": 0.6})
        0.4
    """
    return float(np.mean([v for name, v in scores.items() if name.startswith("ccc_")] or np.nan))
