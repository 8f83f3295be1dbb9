"""Intervals of a mean of shares that were tried; `ser.evaluation.statistics` has the chosen one.

All take hits and utterances `(num_trials, num_speakers, num_classes)` and return the two ends
`(num_trials,)`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtr, ndtri, stdtrit

from benchmarks.paired_tests import degrees
from ser.evaluation import statistics
from ser.evaluation.jackknife import jackknife as of_shared_classes
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


def wilson(*, of_utterances: Callable[[int], float], is_satterthwaite: bool = False) -> Method:
    """Return Wilson's interval with t over speakers, at least as wide as for utterances.

    Args:
        of_utterances: Number of speakers -> the quantile with which utterances count.
        is_satterthwaite: Whether t's degrees of freedom are those of
            `benchmarks.paired_tests.degrees`.
    """

    def ends(hits: Array, spoken: Array) -> Ends:
        found = _Found.of(hits, spoken)
        t = stdtrit(degrees(spoken), 1 - _TAIL) if is_satterthwaite else _t(hits)
        quantile = of_utterances(hits.shape[1])
        c = np.maximum(t**2 * found.relative, quantile**2 / found.num_utterances)
        return found.wilson(c)

    return ends


def wilson_known_chance(hits: Array, spoken: Array) -> Ends:
    """Return Wilson's interval where only what exceeds the chance of utterances is estimated.

    Degrees of freedom after Satterthwaite: the part of the variance that follows from the share
    is known, the rest has s - 1 of them.
    """
    found = _Found.of(hits, spoken)
    known = 1 / found.num_utterances
    relative = np.maximum(found.relative, known)
    estimated = np.maximum(1 - known / relative, 1e-6)
    t = stdtrit((hits.shape[1] - 1) / estimated, 1 - _TAIL)
    return found.wilson(t**2 * relative)


def changing_variance(hits: Array, spoken: Array) -> Ends:
    """Return the shares p that the mean does not refute, with a variance that changes with p.

    That of utterances changes as p (1 - p), that of speakers, above it, as its power of 1.5:
    between shares and logits that vary as much for every p.
    """
    found = _Found.of(hits, spoken)
    t, value, spread = _t(hits), found.value, found.value * (1 - found.value)
    chance = np.clip(t**2 * found.relative * found.num_utterances, _Z**2, t**2)
    more = np.maximum(found.relative - 1 / found.num_utterances, 0.0)
    scale = t**2 * more * spread / np.where(spread > 0, spread, 1.0) ** 1.5
    ends = []
    for edge in (0.0, 1.0):
        inside, outside = value.copy(), np.full_like(value, edge)
        for _ in range(40):
            p = (inside + outside) / 2
            varied = chance * p * (1 - p) / found.num_utterances + scale * (p * (1 - p)) ** 1.5
            is_inside = (p - value) ** 2 <= varied
            inside, outside = np.where(is_inside, p, inside), np.where(is_inside, outside, p)
        ends.append(inside)
    return found.widened(*ends)


class _Found(NamedTuple):
    """The mean share of classes that two speakers or more have, and what is known about it.

    Args:
        value: That mean.
        relative: Its variance over speakers in units of m (1 - m).
        num_utterances: That there are.
        part: How many of all classes these are.
    """

    value: Array
    relative: Array
    num_utterances: Array
    part: Array

    @classmethod
    def of(cls, hits: Array, spoken: Array) -> "_Found":
        found = of_shared_classes(hits, spoken)
        spread = found.value * (1 - found.value)
        relative = np.where(spread > 1e-12, found.variance / np.maximum(spread, 1e-12), 0.0)
        return cls(found.value, relative, found.num_utterances, found.part)

    def widened(self, low: Array, high: Array) -> Ends:
        """Return the ends where the other classes may have any share."""
        return low * self.part, high * self.part + 1 - self.part

    def wilson(self, c: Array) -> Ends:
        """Return Wilson's interval with the squared quantile over the utterances that count."""
        half = np.sqrt(c * self.value * (1 - self.value) + c**2 / 4)
        centre = self.value + c / 2
        return self.widened((centre - half) / (1 + c), (centre + half) / (1 + c))


def korn_graubard(hits: Array, spoken: Array) -> Ends:
    """Return Clopper & Pearson's interval at the effective sample size, adjusted by t."""
    found = _Found.of(hits, spoken)
    size = _size(found, _t(hits))
    right, wrong = found.value * size, (1 - found.value) * size
    return found.widened(*_beta(right, wrong + 1, right + 1, wrong))


def korn_graubard_jeffreys(*, of_utterances: Callable[[int], float]) -> Method:
    """Return the same with Jeffreys' prior in place of exact tails; argument as in `wilson`."""

    def ends(hits: Array, spoken: Array) -> Ends:
        found = _Found.of(hits, spoken)
        size = _size(found, _t(hits), of_utterances(hits.shape[1]))
        right, wrong = found.value * size + 0.5, (1 - found.value) * size + 0.5
        return found.widened(*_beta(right, wrong, right, wrong))

    return ends


def _size(found: _Found, t: float, of_utterances: float | None = None) -> Array:
    """Return the effective sample size for normal quantiles."""
    chance = (t if of_utterances is None else of_utterances) ** 2 / found.num_utterances
    return _Z**2 / np.maximum(t**2 * found.relative, chance)


def _beta(low_a: Array, low_b: Array, high_a: Array, high_b: Array) -> Ends:
    least = 1e-9
    low = betaincinv(np.maximum(low_a, least), np.maximum(low_b, least), _TAIL)
    high = betaincinv(np.maximum(high_a, least), np.maximum(high_b, least), 1 - _TAIL)
    return np.where(low_a > least, low, 0.0), np.where(high_b > least, high, 1.0)


def _of_normal(_: int) -> float:
    return _Z


def _of_student(num_speakers: int) -> float:
    return float(stdtrit(num_speakers - 1, 1 - _TAIL))


def _t(hits: Array) -> float:
    return _of_student(hits.shape[1])


#: Those that need no resampling.
CLOSED: dict[str, Method] = {
    "Wilson, t for speakers, z for utterances (chosen)": statistics.share_ends,
    "Wilson, t for both (before)": wilson(of_utterances=_of_student),
    "chosen, Satterthwaite's degrees by size": wilson(
        of_utterances=_of_normal, is_satterthwaite=True
    ),
    "chosen, variance that changes with the share": changing_variance,
    "Wilson, chance of utterances known": wilson_known_chance,
    "jackknife, t": student(jackknife),
    "linearised, t": student(linearised),
    "jackknife of logits, t": student_of_logits(jackknife),
    "linearised logits, t": student_of_logits(linearised),
    "Korn and Graubard": korn_graubard,
    "the same, Jeffreys": korn_graubard_jeffreys(of_utterances=_of_student),
    "the same, Jeffreys, z for utterances": korn_graubard_jeffreys(of_utterances=_of_normal),
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
