"""Intervals of a mean of shares that were tried; `ser.evaluation.statistics` has the chosen one.

All take hits and utterances `(num_trials, num_speakers, num_classes)` and return the two ends
`(num_trials,)`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtr, ndtri, stdtrit

from ser.evaluation import statistics
from ser.evaluation.statistics import LEVEL

Array = NDArray[np.float64]
Ends = tuple[Array, Array]
Method = Callable[[Array, Array], Ends]

_TAIL = (1 - LEVEL) / 2
_Z = float(ndtri(1 - _TAIL))
_NUM_RESAMPLES = 600


def jackknife(hits: Array, spoken: Array) -> tuple[Array, Array]:
    """Return the mean share and its variance over speakers; a lone speaker of a class adds none."""
    totals, num_speakers = spoken.sum(axis=1, keepdims=True), hits.shape[1]
    shares, rest = hits.sum(axis=1, keepdims=True) / totals, totals - spoken
    moved = np.where(rest > 0, hits - shares * spoken, 0.0) / np.where(rest > 0, rest, 1.0)
    moves = moved.mean(axis=2)
    moves = moves - moves.mean(axis=1, keepdims=True)
    variance = (num_speakers - 1) / num_speakers * (moves**2).sum(axis=1)
    return shares.mean(axis=2)[:, 0], variance


def linearised(hits: Array, spoken: Array) -> tuple[Array, Array]:
    """Return the mean share and its variance by the first term of its Taylor series."""
    totals, num_speakers = spoken.sum(axis=1, keepdims=True), hits.shape[1]
    shares = hits.sum(axis=1, keepdims=True) / totals
    parts = ((hits - shares * spoken) / totals).mean(axis=2)
    variance = num_speakers / (num_speakers - 1) * (parts**2).sum(axis=1)
    return shares.mean(axis=2)[:, 0], variance


def student(estimate: Callable[[Array, Array], tuple[Array, Array]]) -> Method:
    """Return the interval m ± t s."""

    def ends(hits: Array, spoken: Array) -> Ends:
        value, variance = estimate(hits, spoken)
        half = _t(hits) * np.sqrt(variance)
        return np.maximum(value - half, 0.0), np.minimum(value + half, 1.0)

    return ends


def student_of_logits(estimate: Callable[[Array, Array], tuple[Array, Array]]) -> Method:
    """Return the interval m ± t s on the logit scale; a point where all is right or wrong."""

    def ends(hits: Array, spoken: Array) -> Ends:
        value, variance = estimate(hits, spoken)
        slope = value * (1 - value)
        is_inside = slope > 1e-9
        half = _t(hits) * np.sqrt(variance) / np.where(is_inside, slope, 1.0)
        centre = logit(np.where(is_inside, value, 0.5))
        low, high = (np.where(is_inside, expit(centre + sign * half), value) for sign in (-1, 1))
        return low, high

    return ends


def korn_graubard(hits: Array, spoken: Array) -> Ends:
    """Return Clopper & Pearson's interval at the effective sample size, adjusted by t."""
    num_right, size = _effective(hits, spoken)
    return _beta(num_right, size - num_right + 1, num_right + 1, size - num_right)


def korn_graubard_jeffreys(hits: Array, spoken: Array) -> Ends:
    """Return the same with Jeffreys' prior in place of exact tails."""
    right, size = _effective(hits, spoken)
    return _beta(right + 0.5, size - right + 0.5, right + 0.5, size - right + 0.5)


def _effective(hits: Array, spoken: Array) -> tuple[Array, Array]:
    value, variance = jackknife(hits, spoken)
    at_most = spoken.shape[2] ** 2 / (1 / spoken.sum(axis=1)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.fmin(value * (1 - value) / variance, at_most) * (_Z / _t(hits)) ** 2
    size = np.maximum(size, 1e-3)
    return value * size, size


def _beta(low_a: Array, low_b: Array, high_a: Array, high_b: Array) -> Ends:
    least = 1e-9
    low = betaincinv(np.maximum(low_a, least), np.maximum(low_b, least), _TAIL)
    high = betaincinv(np.maximum(high_a, least), np.maximum(high_b, least), 1 - _TAIL)
    return np.where(low_a > least, low, 0.0), np.where(high_b > least, high, 1.0)


def _t(hits: Array) -> float:
    return float(stdtrit(hits.shape[1] - 1, 1 - _TAIL))


#: Those that need no resampling.
CLOSED: dict[str, Method] = {
    "Wilson at the effective size, t (chosen)": statistics.share_ends,
    "jackknife, t": student(jackknife),
    "linearised, t": student(linearised),
    "jackknife of logits, t": student_of_logits(jackknife),
    "linearised logits, t": student_of_logits(linearised),
    "Korn and Graubard": korn_graubard,
    "the same, Jeffreys": korn_graubard_jeffreys,
}
#: Those of `resampled`.
RESAMPLED = ("percentile bootstrap (before)", "bootstrap, BCa", "bootstrap-t")


def resampled(hits: Array, spoken: Array, *, seed: int = 0) -> dict[str, Ends]:
    """Return the bootstraps over speakers; resamples without a class are left out.

    Args:
        hits: See above.
        spoken: The same.
        seed: Of the resamples.

    Source:
        Davison & Hinkley (1997), "Bootstrap Methods and their Application", section 3.8;
        Efron & Tibshirani (1993), "An Introduction to the Bootstrap", 12.5 and 14.3.
    """
    rng = np.random.default_rng(seed)
    pairs = np.array([_bootstraps(rng, *trial) for trial in zip(hits, spoken, strict=True)])
    pairs = np.clip(pairs, 0.0, 1.0)
    return {name: (pairs[:, row, 0], pairs[:, row, 1]) for row, name in enumerate(RESAMPLED)}


def _bootstraps(rng: np.random.Generator, hits: Array, spoken: Array) -> list[Array]:
    num_speakers = len(hits)
    draws = rng.multinomial(num_speakers, [1 / num_speakers] * num_speakers, size=_NUM_RESAMPLES)
    right, totals = draws @ hits, draws @ spoken
    is_complete = (totals > 0).all(axis=1)
    draws, right, totals = draws[is_complete], right[is_complete], totals[is_complete]
    shares = right / totals
    values = shares.mean(axis=1)
    value, variance = (float(one[0]) for one in linearised(hits[None], spoken[None]))
    parts = ((1 / totals) @ hits.T - (shares / totals) @ spoken.T) / hits.shape[1]
    errors = np.sqrt(num_speakers / (num_speakers - 1) * (draws * parts**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = (values - value) / errors
    studentised = studentised[np.isfinite(studentised)]
    t = np.quantile(studentised, [1 - _TAIL, _TAIL]) if len(studentised) else np.zeros(2)
    return [
        np.quantile(values, [_TAIL, 1 - _TAIL]),
        np.quantile(values, _bca_levels(values, value, hits, spoken)),
        value - t * np.sqrt(variance),
    ]


def _bca_levels(values: Array, value: float, hits: Array, spoken: Array) -> Array:
    rest = spoken.sum(axis=0) - spoken
    without = np.where(rest > 0, hits.sum(axis=0) - hits, np.nan) / np.where(rest > 0, rest, 1.0)
    moves = np.nanmean(without, axis=1)
    moves = moves.mean() - moves
    size = (moves**2).sum() ** 1.5
    acceleration = (moves**3).sum() / (6 * size) if size > 0 else 0.0
    # As in scipy.stats.bootstrap: resamples equal to the value count half.
    below = ((values < value).mean() + (values <= value).mean()) / 2
    bias = ndtri(np.clip(below, 1e-4, 1 - 1e-4))
    z = bias + np.array([-_Z, _Z])
    return np.asarray(ndtr(bias + z / (1 - acceleration * z)))
