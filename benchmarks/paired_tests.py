"""Paired tests that were tried; `ser.evaluation.statistics.difference` has the chosen one.

All take hits of one cell minus those of the other, and utterances, `(num_trials, num_speakers,
num_classes)`, and return p `(num_trials,)`, two-sided.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from ser import metrics
from ser.evaluation import statistics
from ser.evaluation.comparison import ALPHA
from ser.evaluation.jackknife import jackknife

Array = NDArray[np.float64]
Test = Callable[[Array, Array], Array]

#: All patterns of signs are tried for as many speakers; above it, this many are drawn.
_NUM_EXACT, _NUM_DRAWN = 11, 1023
_ROUNDING = 1e-12


def chosen(hits: Array, spoken: Array) -> Array:
    """Return p as the project computes it."""
    return statistics.difference(hits, spoken).p


def student(*, added: float, is_satterthwaite: bool = False) -> Test:
    """Return the t test over speakers.

    Args:
        added: How many squares of an utterance are added to the variance.
        is_satterthwaite: Whether degrees of freedom follow from how much speakers say, see
            `degrees`; else there is one less than speakers.
    """

    def p(hits: Array, spoken: Array) -> Array:
        found = jackknife(hits, spoken)
        difference = metrics.uar_of(hits.sum(axis=-2), spoken.sum(axis=-2))
        is_known = found.part > 0
        more = added / np.where(is_known, found.num_utterances, 1.0) ** 2
        variance = found.part**2 * np.where(is_known, found.variance + more, 0.0)
        error = np.sqrt(variance + 4 * (1 - found.part) ** 2)
        freedom = degrees(spoken) if is_satterthwaite else hits.shape[-2] - 1.0
        # No difference and no error: nothing to tell apart.
        distance = np.where(error > 0, np.abs(difference) / np.where(error > 0, error, 1.0), 0.0)
        return np.asarray(2 * stdtr(freedom, -distance))

    return p


def degrees(spoken: Array) -> Array:
    """Return the degrees of freedom of the jackknife's variance after Satterthwaite.

    If what a speaker adds to a mean has the same variance for all, but for how much the speaker
    says, the variance estimate is a quadratic form with the matrix M; degrees are
    tr(M)^2 / tr(M^2). As many as speakers, less one, where all say the same.

    Args:
        spoken: See above.

    Returns:
        `(num_trials,)`, at most num_speakers - 1.

    Source:
        Bell & McCaffrey (2002), "Bias reduction in standard errors for linear regression with
        multi-stage samples", Survey Methodology 28, section 4.
    """
    weights = (spoken / spoken.sum(axis=-2, keepdims=True)).mean(axis=-1)
    return np.array([_degrees(one) for one in weights])


def _degrees(weights: Array) -> float:
    """Return them for the weights of speakers `(num_speakers,)`, in sum 1."""
    moves = np.eye(len(weights)) - weights
    pulls = (weights / np.maximum(1 - weights, _ROUNDING))[:, None] * moves
    pulls = pulls - pulls.mean(axis=0)
    form = pulls @ pulls.T
    return float(np.trace(form) ** 2 / (form**2).sum())


class SignFlips(NamedTuple):
    """What exchanging the two cells, speaker by speaker, says.

    Args:
        p: Share of exchanges with a difference at least as large `(num_trials,)`.
        mid_p: The same; those with an equal one count half.
        attainable: The largest share, at most 5 %, that the most extreme exchanges can make up.
            If nothing is known about a speaker's difference but that its sign is as likely as
            the other, no test that always decides the same rejects more, and keeps 5 %.
    """

    p: Array
    mid_p: Array
    attainable: Array


def sign_flips(hits: Array, spoken: Array) -> SignFlips:
    """Return the test by exchanges.

    Args:
        hits: See above.
        spoken: The same.
    """
    parts = (hits / spoken.sum(axis=-2, keepdims=True)).mean(axis=-1)  # (num_trials, num_speakers)
    sizes = np.abs(parts @ _signs(parts.shape[-1]).T)
    observed = np.abs(parts.sum(axis=-1, keepdims=True))
    at_least = (sizes >= observed - _ROUNDING).mean(axis=-1)
    beyond = (sizes > observed + _ROUNDING).mean(axis=-1)
    return SignFlips(at_least, (at_least + beyond) / 2, _attainable(sizes))


def flips(hits: Array, spoken: Array) -> Array:
    """Return p of the test by exchanges."""
    return sign_flips(hits, spoken).p


def flips_mid_p(hits: Array, spoken: Array) -> Array:
    """Return the mid-p of the test by exchanges."""
    return sign_flips(hits, spoken).mid_p


def _signs(num_speakers: int) -> Array:
    """Return patterns of signs `(num_patterns, num_speakers)`, none with its negative."""
    if num_speakers <= _NUM_EXACT:
        numbers = np.arange(2 ** (num_speakers - 1))
        return np.where((numbers[:, None] >> np.arange(num_speakers)) & 1, -1.0, 1.0)
    drawn = np.random.default_rng(0).choice([-1.0, 1.0], size=(_NUM_DRAWN, num_speakers))
    return np.vstack([np.ones(num_speakers), drawn])


def _attainable(sizes: Array) -> Array:
    """Return the largest share of sizes, at most 5 %, that some least size cuts off."""
    num_patterns = sizes.shape[-1]
    most = int(ALPHA * num_patterns + _ROUNDING)
    largest = -np.sort(np.partition(-sizes, most, axis=-1)[..., : most + 1], axis=-1)
    is_cut = largest[..., :-1] - largest[..., 1:] > _ROUNDING
    counts = np.where(is_cut, np.arange(1, most + 1), 0)
    return np.asarray(counts.max(axis=-1, initial=0) / num_patterns)


#: Those that are compared.
TESTS: dict[str, Test] = {
    "t, half a squared utterance added (chosen)": chosen,
    "t, a squared utterance added (before)": student(added=1.0),
    "t, nothing added": student(added=0.0),
    "t, half, Satterthwaite's degrees": student(added=0.5, is_satterthwaite=True),
    "signs exchanged by speaker": flips,
    "signs exchanged, mid-p": flips_mid_p,
}
