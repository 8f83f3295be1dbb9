"""Ways to say which cells may be the best, and how good the winner is, that were tried.

`ser.evaluation.best` has the chosen ones. All take one trial: hits
`(num_cells, num_speakers, num_classes)` and utterances `(num_speakers, num_classes)`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from ser.evaluation import comparison
from ser.evaluation.best import Contest
from ser.evaluation.comparison import ALPHA

Array = NDArray[np.float64]
Kept = NDArray[np.bool_]


class Resamples(NamedTuple):
    """Resamples of speakers that have every class.

    Args:
        uars: Of each cell `(num_resamples, num_cells)`.
        changes: The same less the cells' UARs.
    """

    uars: Array
    changes: Array


def resample(rng: np.random.Generator, hits: Array, spoken: Array, num: int) -> Resamples:
    """Return resamples of the speakers."""
    num_speakers = len(spoken)
    weights = rng.multinomial(num_speakers, [1 / num_speakers] * num_speakers, size=num)
    totals = weights @ spoken
    is_complete = (totals > 0).all(axis=1)
    right = np.tensordot(weights[is_complete].astype(float), hits, axes=(1, 1))
    uars = (right / totals[is_complete][:, None]).mean(axis=2)
    return Resamples(uars, uars - (hits.sum(axis=1) / spoken.sum(axis=0)).mean(axis=1))


def holm_against_the_winner(contest: Contest) -> Kept:
    """Return the cells that two-sided tests against the winner, after Holm, do not tell apart."""
    winner = int(contest.scores.argmax())
    others = np.delete(np.arange(len(contest.scores)), winner)
    kept = np.ones(len(contest.scores), dtype=bool)
    kept[others] = comparison.holm(contest.p[winner, others]) >= ALPHA
    return kept


def bonferroni_against_all(contest: Contest) -> Kept:
    """Return the cells that no other beats in a one-sided test after Bonferroni."""
    num_speakers, num_cells = contest.pulls.shape
    lead = (contest.scores[:, None] - contest.scores) / contest.errors
    p = stdtr(num_speakers - 1, -lead)
    np.fill_diagonal(p, 1.0)
    return np.asarray((num_cells - 1) * p.min(axis=0) >= ALPHA)


def confidence_set(uars: Array, resamples: Resamples) -> Kept:
    """Return the model confidence set: the worst goes until all that are left may be equal.

    Source:
        Hansen, Lunde & Nason (2011), "The model confidence set", Econometrica 79, with T_max
        and the bootstrap over speakers.
    """
    alive = list(range(len(uars)))
    while len(alive) > 1:
        behind = uars[alive].mean() - uars[alive]
        drawn = resamples.changes[:, alive]
        drawn = drawn.mean(axis=1, keepdims=True) - drawn
        errors = np.sqrt((drawn**2).mean(axis=0))
        errors[errors == 0] = np.inf
        statistic = behind / errors
        if ((drawn / errors).max(axis=1) >= statistic.max()).mean() >= ALPHA:
            break
        alive.pop(int(statistic.argmax()))
    return np.asarray(np.isin(np.arange(len(uars)), alive))


def drawn_optimism(resamples: Resamples) -> float:
    """Return how far a resample's winner is above its own UAR, in the mean."""
    winners = resamples.uars.argmax(axis=1)
    return float(np.take_along_axis(resamples.changes, winners[:, None], axis=1).mean())


def shrunken_optimism(contest: Contest, kept: Kept) -> float:
    """Return how far the winner is above its UAR drawn towards the mean of those kept.

    Source:
        Efron & Morris (1975), doi:10.1080/01621459.1975.10479864, for James & Stein's estimate.
    """
    cells = np.flatnonzero(kept)
    winner = int(contest.scores.argmax())
    if len(cells) < 4:
        return 0.0
    pulls = contest.pulls[:, cells] - contest.pulls[:, cells].mean(axis=1, keepdims=True)
    noise = (pulls**2).sum() / (len(cells) - 1)
    off = contest.scores[cells] - contest.scores[cells].mean()
    seen = max((off**2).sum() / (len(cells) - 1), 1e-12)
    factor = max(0.0, 1 - (len(cells) - 3) / (len(cells) - 1) * noise / seen)
    return float((1 - factor) * (contest.scores[winner] - contest.scores[cells].mean()))


def left_out_optimism(hits: Array, spoken: Array) -> float:
    """Return how far the winner is above those chosen without a speaker and asked about them."""
    totals = spoken.sum(axis=0)
    rest = totals - spoken
    without = (hits.sum(axis=1, keepdims=True) - hits) / np.where(rest > 0, rest, np.inf)
    chosen = without.mean(axis=2).argmax(axis=0)
    asked = hits[chosen, np.arange(len(spoken))].sum(axis=0) / totals
    return float((hits.sum(axis=1) / totals).mean(axis=1).max() - asked.mean())
