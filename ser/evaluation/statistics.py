"""Intervals that respect how the data came about: speakers are drawn, not utterances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser import metrics

NUM_RESAMPLES = 5000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval.

    Args:
        low, high: Its ends; NaN where there are fewer than two speakers.
    """

    low: float
    high: float


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
    names, positions = np.unique(speakers, return_inverse=True)
    counts = np.zeros((len(names), num_classes, num_classes), dtype=np.int64)
    np.add.at(counts, (positions, truth, prediction), 1)
    return counts


def speaker_bootstrap(
    matrices: NDArray[np.int64], *, seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> dict[str, Interval]:
    """Return bootstrap intervals of UAR and WA that resample whole speakers.

    Utterances of one speaker are not independent: an interval over utterances would be
    too narrow. Resamples in which a class is spoken by nobody have no UAR and are left
    out of its interval.

    Args:
        matrices: Confusion counts per speaker `(num_speakers, num_classes, num_classes)`.
        seed: Of the resampling.
        num_resamples: Number of bootstrap resamples.

    Returns:
        `uar` and `wa`, percentile intervals at the 95 % level.

    Source:
        Davison & Hinkley (1997), "Bootstrap Methods and their Application", section 3.8
        (resampling of clusters).
    """
    num_speakers = len(matrices)
    if num_speakers < 2:
        unknown = Interval(float("nan"), float("nan"))
        return {"uar": unknown, "wa": unknown}
    draws = speaker_draws(num_speakers, seed=seed, num_resamples=num_resamples)
    resampled = np.einsum("rs,sij->rij", draws, matrices).astype(np.float64)
    hits, spoken = metrics.tallies(resampled)
    complete = (spoken > 0).all(axis=1)
    uars = metrics.uar_of(hits[complete], spoken[complete])
    return {"uar": percentiles(uars), "wa": percentiles(metrics.wa_of(hits, spoken))}


def speaker_draws(
    num_speakers: int, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> NDArray[np.int64]:
    """Return how often each speaker is drawn in each resample.

    Args:
        num_speakers: As many are drawn, with replacement.
        seed: Of the draws.
        num_resamples: Number of resamples.

    Returns:
        Counts `(num_resamples, num_speakers)`; every row adds up to `num_speakers`.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_speakers, [1 / num_speakers] * num_speakers, size=num_resamples)


def percentiles(values: NDArray[np.float64]) -> Interval:
    """Return the interval at the 95 % level that resampled values `(num_resamples,)` span."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))
