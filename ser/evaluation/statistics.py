"""Intervals that respect how the data came about: speakers are drawn, not utterances.

Everything here follows from what changes when one speaker is left out (the jackknife). Which
intervals cover what they say was simulated: docs/decisions/0029-intervals-that-cover.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

from ser import metrics
from ser.evaluation.jackknife import (
    NOTHING,
    Floats,
    Seeds,
    jackknife,
    seeds_of,
    with_seeds,
)

LEVEL = 0.95
_Z = float(ndtri((1 + LEVEL) / 2))
#: Of the square of an utterance, as much is added to the variance of a difference.
_ADDED = 0.5
#: Least m (1 - m) that is not a rounding; a single utterance is far above it.
_LEAST_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval over speakers.

    Args:
        low, high: Its ends; NaN where there are fewer than two speakers.
    """

    low: float
    high: float


class Difference(NamedTuple):
    """What speakers say about the difference of two means of shares, see `difference`.

    Args:
        low, high: 95 % interval, in [-1, 1].
        standard_error: Above 0.
        p: Two-sided, of the hypothesis that there is none; below 0.05 exactly where the
            interval does not hold zero.
    """

    low: Floats
    high: Floats
    standard_error: Floats
    p: Floats


def confusion_by_speaker(
    *,
    truth: NDArray[np.int64],
    prediction: NDArray[np.int64],
    speakers: NDArray[np.str_],
    num_classes: int,
) -> NDArray[np.int64]:
    """Return one confusion matrix per speaker, speakers in sorted order.

    Args:
        truth: Class indices `(num_utterances,)`.
        prediction: Class indices, same shape.
        speakers: Who speaks, same shape.
        num_classes: Number of classes.

    Returns:
        Counts `(num_speakers, num_classes, num_classes)`, rows truth.
    """
    one = np.zeros(len(truth), dtype=np.int64)
    by_seed = confusion_by_seed(truth, prediction, speakers, one, num_classes=num_classes)
    return np.asarray(by_seed[0])


def confusion_by_seed(
    truth: NDArray[np.int64],
    prediction: NDArray[np.int64],
    speakers: NDArray[np.str_],
    seeds: NDArray[np.int64],
    *,
    num_classes: int,
) -> NDArray[np.int64]:
    """Return one confusion matrix per seed and speaker, both in sorted order.

    Args:
        truth: As for `confusion_by_speaker`.
        prediction: The same.
        speakers: The same.
        seeds: Under which seed was predicted, same shape.
        num_classes: Number of classes.

    Returns:
        Counts `(num_seeds, num_speakers, num_classes, num_classes)`, rows truth.
    """
    names, positions = np.unique(speakers, return_inverse=True)
    numbers, seed_positions = np.unique(seeds, return_inverse=True)
    counts = np.zeros((len(numbers), len(names), num_classes, num_classes), dtype=np.int64)
    np.add.at(counts, (seed_positions, positions, truth, prediction), 1)
    return counts


def score_intervals(matrices: NDArray[np.float64] | NDArray[np.int64]) -> dict[str, Interval]:
    """Return the intervals of UAR and WA over speakers, and over seeds where there are several.

    Args:
        matrices: Confusion counts per seed and speaker
            `([num_seeds,] num_speakers, num_classes, num_classes)`, rows truth.

    Returns:
        `uar` and `wa`: 95 % intervals, see `share_ends`.

    Raises:
        ValueError: A class is spoken by nobody.
    """
    hits, spoken = tallies_by_seed(matrices)
    all_hits, all_spoken = hits.sum(axis=-1, keepdims=True), spoken.sum(axis=-1, keepdims=True)
    return {
        "uar": _interval(hits.mean(axis=0), spoken, seeds_of(hits, spoken)),
        "wa": _interval(all_hits.mean(axis=0), all_spoken, seeds_of(all_hits, all_spoken)),
    }


def tallies_by_seed(
    matrices: NDArray[np.float64] | NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """Return hits per seed, speaker and class, and the utterances, which every seed tests.

    Args:
        matrices: As for `score_intervals`; without the first axis it is one seed.

    Returns:
        `(num_seeds, num_speakers, num_classes)` and `(num_speakers, num_classes)`.
    """
    hits, spoken = metrics.tallies(matrices if matrices.ndim == 4 else matrices[None])
    return hits, spoken.mean(axis=0)


def share_interval(hits: Floats, asked: Floats) -> Interval:
    """Return the interval of a share over speakers.

    Args:
        hits: Each speaker's utterances of which something holds `(num_speakers,)`.
        asked: Each speaker's utterances, same shape, above 0; counted once, not per seed.

    Returns:
        The 95 % interval of sum of hits / sum of asked, see `share_ends`.
    """
    return _interval(hits[:, None], asked[:, None])


def _interval(hits: Floats, spoken: Floats, seeds: Seeds | None = None) -> Interval:
    low, high = share_ends(hits, spoken, seeds)
    return Interval(float(low), float(high))


def share_ends(hits: Floats, spoken: Floats, seeds: Seeds | None = None) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % interval of a mean of shares, such as UAR, over speakers.

    The jackknife over speakers gives the variance V of the mean m, and V the number of
    independent utterances that would say as much, n = m (1 - m) / V. The interval is Wilson's
    for n utterances, with the quantile t of Student's distribution for num_speakers - 1
    degrees of freedom in place of the normal one, since V is only as well known as that:

        (m + c / 2 ± sqrt(c m (1 - m) + c^2 / 4)) / (1 + c),   c = t^2 / n.

    Chance must not make few errors look surer than N independent utterances are, which is
    what there is. How much those vary follows from m and needs no estimate, so c is at least
    z^2 / N with the normal quantile z. The interval stays within [0, 1], and where all is
    right it reaches from N / (N + z^2) to 1. How other speakers speak a class that only one
    of them has is not known: such a share may be anything from 0 to 1. What seeds add, they
    add to V, and t is that of the degrees of freedom of the sum.

    Args:
        hits: Per speaker and class `(..., num_speakers, num_classes)`, mean over seeds.
        spoken: The same; mean over seeds, so that an utterance counts once.
        seeds: What they add; None: nothing, the trained models are held fixed.

    Returns:
        Low and high end `(...)` in [0, 1]; NaN for a single speaker.

    Raises:
        ValueError: A class is spoken by nobody.

    Source:
        Korn & Graubard (1998), "Confidence intervals for proportions with small expected number
        of positive counts estimated from survey data", for n; Franco et al. (2019), "Comparative
        study of confidence intervals for proportions in complex sample surveys", section 2,
        for Wilson's interval with it, which they recommend. Where t counts, and where z, is
        our choice: docs/decisions/0029-intervals-that-cover.md.
    """
    found = jackknife(hits, spoken)
    value = found.value
    variance, degrees = with_seeds(found.variance, hits.shape[-2], seeds)
    spread = value * (1 - value)
    of_speakers = _t_at(degrees) ** 2 * variance / np.maximum(spread, _LEAST_SPREAD)
    c = np.fmax(of_speakers, _Z**2 / found.num_utterances)
    centre = (value + c / 2) / (1 + c)
    half = np.sqrt(c * spread + c**2 / 4) / (1 + c)
    # Rounding must not leave the value outside, nor an end beyond 0 and 1.
    low, high = np.fmin(centre - half, value), np.fmax(centre + half, value)
    low, high = np.clip([low, high], 0.0, 1.0)
    if hits.shape[-2] > 1:  # where no class is spoken by two, nothing but 0 to 1 is known
        low, high = np.where(found.part > 0, [low, high], 0.0)
    return low * found.part, high * found.part + (1 - found.part)


def difference(hits: Floats, spoken: Floats, seeds: Seeds | None = None) -> Difference:
    """Return what speakers say about the difference of two means of shares, such as two UARs.

    The interval is d ± t s, with s from the jackknife over speakers and t of Student's
    distribution for num_speakers - 1 degrees of freedom; p is that of d / s. Half the square of
    one utterance, 1 / 2 N^2, is added to s^2, so that two cells that decide alike are not said
    to differ by exactly 0. A class that only one speaker has may differ by
    anything from -1 to 1 for others, which adds its square.

    Args:
        hits: Hits of one cell minus those of the other, per speaker and class
            `(..., num_speakers, num_classes)`.
        spoken: Utterances of both, the same; mean over seeds.
        seeds: What they add, see `both_seeds`; None: nothing, the trained models are held
            fixed.

    Returns:
        Arrays `(...)`; NaN for a single speaker, with p 1.

    Raises:
        ValueError: A class is spoken by nobody.

    Source:
        Efron & Stein (1981), "The jackknife estimate of variance"; what is added after Agresti
        & Min (2005), doi:10.1002/sim.1781, for differences of paired proportions, who add
        twice as much.
    """
    observed = metrics.uar_of(hits.sum(axis=-2), spoken.sum(axis=-2))
    found, num_speakers = jackknife(hits, spoken), hits.shape[-2]
    added = _ADDED / np.where(found.part > 0, found.num_utterances, 1.0) ** 2
    variance, degrees = with_seeds(found.variance, num_speakers, seeds)
    known = np.where(found.part > 0, variance + added, 0.0)
    error = np.sqrt(found.part**2 * known + 4 * (1 - found.part) ** 2)
    if num_speakers < 2:
        nan = np.full_like(observed, np.nan)
        return Difference(nan, nan, nan, np.ones_like(observed))
    half = _t_at(degrees) * error
    p = 2 * stdtr(degrees, -np.abs(observed) / error)
    low, high = np.clip([observed - half, observed + half], -1.0, 1.0)
    return Difference(low, high, error, np.asarray(p))


def jackknife_interval(value: float, left_out: Floats, *, within: tuple[float, float]) -> Interval:
    """Return the 95 % interval over speakers of a score that is no mean of shares.

    value ± t s, with s from the jackknife and t of Student's distribution for num_speakers - 1
    degrees of freedom. For means of a distance, or an F1, away from the ends of their range;
    near these `share_ends` holds up better, for what is a share.

    Args:
        value: The score of all.
        left_out: The score without each speaker in turn `(num_speakers,)`.
        within: The least and the most that it can be, where the interval ends.

    Returns:
        NaN for a single speaker.
    """
    half = float(_t_at(len(left_out) - 1)) * _left_out_error(left_out)
    return Interval(max(value - half, within[0]), min(value + half, within[1]))


def _t_at(degrees: Floats | float) -> Floats:
    """Return t of the two-sided 95 % interval; NaN without a degree of freedom."""
    known = np.where(np.asarray(degrees) > 0, degrees, np.nan)
    return np.asarray(stdtrit(known, (1 + LEVEL) / 2))


def left_out_interval(value: float, left_out: Floats, *, is_correlation: bool) -> Interval:
    """Return the interval of any score over speakers, from the score without each of them.

    It is value ± t s, with s from the jackknife and t of Student's distribution for
    num_speakers - 1 degrees of freedom. A correlation is first stretched by Fisher's
    transformation, whose values are spread more evenly; so the interval stays in [-1, 1].

    Args:
        value: The score over all speakers.
        left_out: The score without each speaker `(num_speakers,)`; NaN where it is not defined.
        is_correlation: Whether it is one, in [-1, 1]; else it is an error, at least 0.

    Returns:
        The 95 % interval; NaN for a single speaker, and where a score is not defined.

    Source:
        Lin (1989), section 3, for Fisher's transformation of the concordance; Efron & Stein
        (1981) for the jackknife.
    """
    if is_correlation:
        edge = 1 - NOTHING
        stretched = np.arctanh(np.clip(np.append(left_out, value), -edge, edge))
        half = _t_at(len(left_out) - 1) * _left_out_error(stretched[:-1])
        low, high = np.tanh([stretched[-1] - half, stretched[-1] + half])
        # What was clipped must not leave the value outside.
        return Interval(float(np.minimum(low, value)), float(np.maximum(high, value)))
    return jackknife_interval(value, left_out, within=(0.0, float("inf")))


def left_out_difference(value: float, left_out: Floats) -> Difference:
    """Return what speakers say about the difference of two scores of the same utterances.

    Args:
        value: The difference over all speakers.
        left_out: The difference without each speaker `(num_speakers,)`.

    Returns:
        Scalars, see `Difference`; NaN for a single speaker, with p 1. Two cells that say the same
        have a difference and an error of 0, and p 1.
    """
    num_speakers, error = len(left_out), _left_out_error(left_out)
    if num_speakers < 2:
        nan = np.array(np.nan)
        return Difference(nan, nan, nan, np.array(1.0))
    half = _t_at(num_speakers - 1) * error
    distance = abs(value) / error if error > 0 else 0.0
    p = 2 * stdtr(num_speakers - 1, -distance)
    return Difference(*(np.array(number) for number in (value - half, value + half, error, p)))


def _left_out_error(left_out: Floats) -> float:
    """Return the jackknife's standard error over speakers of a score without each of them."""
    spread = np.mean((left_out - left_out.mean()) ** 2)
    return float(np.sqrt((len(left_out) - 1) * spread))
