"""Which cell is the best of many, and how good is it, when one set of numbers chose and praises it?

Everything comes from what other speakers, and other seeds, would have made of the same cells: the
chance of each to be the best, the cells that are not told apart from the best, and by how much the
winner's score is too good. How often they are right was simulated:
docs/decisions/0032-the-best-of-many.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser.evaluation import jackknife, statistics
from ser.evaluation.jackknife import Floats, Seeds
from ser.evaluation.statistics import LEVEL, Difference
from ser.grid.params import Cell

NUM_DRAWS = 4999
NUM_RESAMPLES = 999
#: Draws are made so many at a time: all together would fill gigabytes.
_CHUNK = 500
#: Of so many speakers or fewer each is drawn; of more, what they add up to.
_MOST_DRAWN_EACH = 128
#: Scores that differ by less are equal but for rounding.
_ROUNDING = 1e-12

#: Weights of speakers `(num_resamples, num_speakers)` -> a cell's score under each seed
#: `(num_resamples, num_seeds)`; NaN where it is not defined, which hangs on the weights alone.
Scorer = Callable[[Floats], Floats]


class Contest(NamedTuple):
    """Cells that were tested on the same utterances.

    Args:
        scores: Of each cell `(num_cells,)`, such as UAR; mean over seeds, the higher the better.
        pulls: Of each speaker on each cell `(num_speakers, num_cells)`, see
            `ser.evaluation.jackknife.pulls`.
        seeds: What seeds add, each `(num_cells,)`.
        differences: Of every two cells, each `(num_cells, num_cells)`.
    """

    scores: Floats
    pulls: Floats
    seeds: Seeds
    differences: Difference

    @property
    def is_known(self) -> bool:
        """Whether it is known how cells vary over speakers: two or more, and each can be missed."""
        return len(self.pulls) > 1 and bool(np.isfinite(self.pulls).all())

    @property
    def errors(self) -> Floats:
        """Standard error of the difference of two cells; NaN for a single speaker."""
        return self.differences.standard_error

    @property
    def p(self) -> Floats:
        """Of the paired test of two cells."""
        return self.differences.p


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cell stands in the contest for the best.

    Args:
        probability: That it is the best, in [0, 1]; in sum 1 over the cells; NaN where there
            is one speaker.
        p: Two-sided, of the paired test against the cell with the highest score; NaN for that
            cell itself.
        p_corrected: Of the hypothesis that no other is better, corrected for the number of
            cells.
        optimism: Of the cell with the highest score, by how much it is too high, see `optimism`;
            NaN for the others.
    """

    probability: float
    p: float
    p_corrected: float
    optimism: float

    @property
    def is_told_apart(self) -> bool:
        """Whether it is told apart from the best."""
        return self.p_corrected < 1 - LEVEL


def judge(
    counts_of: Mapping[Cell, NDArray[np.float64]], *, seed: int = 0, num_draws: int = NUM_DRAWS
) -> dict[Cell, Standing]:
    """Return how each cell stands by its UAR.

    Args:
        counts_of: (model, loss) -> confusion counts
            `(num_seeds, num_speakers, num_classes, num_classes)`, rows truth; the same
            speakers in the same order, the seeds may be fewer for some. Of equal cells the
            first one wins.
        seed: Of the draws.
        num_draws: How many.

    Raises:
        ValueError: The cells did not hear the same utterances, or a class is spoken by nobody.
    """
    tallies = [statistics.tallies_by_seed(counts) for counts in counts_of.values()]
    spoken = tallies[0][1]
    if any(one.shape != spoken.shape or not np.allclose(one, spoken) for _, one in tallies):
        raise ValueError("cells were tested on different utterances, so none is the best of them")
    hits = [one for one, _ in tallies]
    each = [jackknife.seeds_of(one, spoken) for one in hits]
    seeds = Seeds(*(np.stack(parts) for parts in zip(*each, strict=True)))
    contest = contest_of(np.stack([one.mean(axis=0) for one in hits]), spoken, seeds)
    return standings(counts_of, contest, uar_scorers(hits, spoken), seed=seed, num_draws=num_draws)


def standings(
    cells: Iterable[Cell],
    contest: Contest,
    scorers: Sequence[Scorer],
    *,
    seed: int = 0,
    num_draws: int = NUM_DRAWS,
) -> dict[Cell, Standing]:
    """Return how each cell stands in a contest, by whatever score.

    Args:
        cells: (model, loss) of each; of equal cells the first one wins.
        contest: They, in this order.
        scorers: Theirs.
        seed: Of the draws.
        num_draws: How many.
    """
    rng = np.random.default_rng(seed)
    winner = _first_highest(contest.scores)
    rows = zip(
        cells,
        probabilities(contest, rng, num_draws).tolist(),
        contest.p[winner].tolist(),
        corrected_p(contest, rng, num_draws).tolist(),
        strict=True,
    )
    too_high = optimism(scorers, len(contest.pulls), rng)
    nan = float("nan")
    return {
        cell: Standing(chance, p, p_corrected, nan)
        if number != winner
        else Standing(chance, nan, p_corrected, too_high)
        for number, (cell, chance, p, p_corrected) in enumerate(rows)
    }


def _first_highest(scores: Floats) -> int:
    """Return the first of the highest, whatever rounding says."""
    return int(np.flatnonzero(scores >= scores.max() - _ROUNDING)[0])


def uar_scorers(hits: Iterable[Floats], spoken: Floats) -> list[Scorer]:
    """Return what scores each cell by UAR.

    Args:
        hits: Of each cell `(num_seeds, num_speakers, num_classes)`.
        spoken: `(num_speakers, num_classes)`.
    """
    return [partial(_uars, one, spoken) for one in hits]


def _uars(hits: Floats, spoken: Floats, weights: Floats) -> Floats:
    right = np.einsum("ns,rsk->nrk", weights, hits, optimize=True)
    with np.errstate(invalid="ignore"):
        return np.asarray((right / (weights @ spoken)[:, None]).mean(axis=-1))


def contest_of(hits: Floats, spoken: Floats, seeds: Seeds) -> Contest:
    """Return the contest of cells.

    Args:
        hits: `(num_cells, num_speakers, num_classes)`, mean over seeds.
        spoken: `(num_speakers, num_classes)`, of all cells.
        seeds: Each `(num_cells,)`, see `ser.evaluation.jackknife.seeds_of`.

    Raises:
        ValueError: A class is spoken by nobody.
    """
    pairs = jackknife.seeds_of_pairs(seeds)
    found = statistics.difference(hits[:, None] - hits[None], spoken, pairs)
    return Contest(
        scores=(hits.sum(axis=1) / spoken.sum(axis=0)).mean(axis=-1),
        pulls=jackknife.pulls(hits, spoken).T,
        seeds=seeds,
        differences=found,
    )


def probabilities(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return how probable it is that each cell is the best `(num_cells,)`, in sum 1.

    In a draw every speaker's pull counts with a random weight, normal and in the mean 0, and so
    does every cell's seeds' part; the change is distributed after Student, as in the paired
    test. The probability is the share of draws in which a cell's score comes out highest; equal
    cells share a draw.

    Args:
        contest: The cells.
        rng: Where chance comes from.
        num_draws: How many.

    Returns:
        In [0, 1]; NaN where there is one speaker, or the score hangs on one.

    Source:
        Chernozhukov, Chetverikov & Kato (2013), arXiv:1212.6906, for the multiplier bootstrap.
        Unlike a resample of speakers it never lacks a class, and its variance has no bias.
    """
    if not contest.is_known:
        return np.full(len(contest.scores), np.nan)
    degrees = len(contest.pulls) - 1
    scale = rng.chisquare(degrees, size=(num_draws, 1)) / degrees
    values = contest.scores + _changes(contest, rng, num_draws) / np.sqrt(scale)
    is_best = values >= values.max(axis=1, keepdims=True) - _ROUNDING
    return np.asarray((is_best / is_best.sum(axis=1, keepdims=True)).mean(axis=0))


def _changes(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return what other speakers and seeds change of the scores `(num_draws, num_cells)`."""
    num_speakers, num_cells = contest.pulls.shape
    common = rng.normal(size=(num_draws, num_speakers)) @ contest.pulls
    own = rng.normal(size=(num_draws, num_cells)) * np.sqrt(contest.seeds.variance)
    return np.asarray(common + own)


def corrected_p(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return for each cell the p of the hypothesis that no other is better `(num_cells,)`.

    The statistic is the largest lead of another cell in units of its standard error. p is the
    share of draws whose largest is at least that, if all cells were equal: in each draw as many
    speakers, normal, with the covariance of cells that is seen, and the errors estimated anew.
    So the best cell of the population has a p below 0.05 in about 5 % of experiments at most,
    whichever it is. With two cells it is the one-sided paired t test.

    Args:
        contest: The cells.
        rng: Where chance comes from.
        num_draws: How many.

    Returns:
        In (0, 1]; 1 where there is one speaker or one cell, or the score hangs on one speaker.

    Source:
        Hsu (1984), "Constrained simultaneous confidence intervals for multiple comparisons with
        the best", Annals of Statistics 12, for comparing each cell with all others, one-sided.
        His table asks for independent cells of equal variance; the draws are ours.
    """
    num_cells = len(contest.scores)
    if num_cells < 2 or not contest.is_known:
        return np.ones(num_cells)
    lead = np.where(np.eye(num_cells), -np.inf, contest.scores[:, None] - contest.scores)
    largest = (lead / contest.errors).max(axis=0) - _ROUNDING
    sizes = [min(_CHUNK, num_draws - start) for start in range(0, num_draws, _CHUNK)]
    beyond = sum((_drawn_largest(contest, rng, size) >= largest).sum(axis=0) for size in sizes)
    return np.asarray((1 + beyond) / (1 + num_draws))


def _drawn_largest(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return the largest lead over each cell among equals `(num_draws, num_cells)`."""
    num_cells = contest.pulls.shape[1]
    covariance = _drawn_covariance(contest.pulls, rng, num_draws)
    of_seeds = contest.seeds.variance * (
        rng.chisquare(contest.seeds.degrees, size=(num_draws, num_cells)) / contest.seeds.degrees
    )
    each = np.diagonal(covariance, axis1=1, axis2=2) + of_seeds
    variance = each[:, :, None] + each[:, None] - 2 * covariance
    # What an error holds beside speakers and seeds: part of an utterance, a lone speaker's class.
    seen = contest.pulls.T @ contest.pulls + np.diag(contest.seeds.variance)
    of_pairs = np.diag(seen)[:, None] + np.diag(seen) - 2 * seen
    rest = np.maximum(contest.errors**2 - of_pairs, 0.0)
    changes = _changes(contest, rng, num_draws)
    leads = changes[:, :, None] - changes[:, None] + np.sqrt(rest) * rng.normal(size=variance.shape)
    leads = leads / np.sqrt(np.maximum(variance, 0.0) + rest)
    return np.asarray(np.where(np.eye(num_cells), -np.inf, leads).max(axis=1))


def _drawn_covariance(pulls: Floats, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return covariances as they are estimated of as many equals.

    They are those of num_speakers - 1 normal vectors with the covariance that is seen. Drawing
    each takes time and memory by the square of the speakers, so of many the sum is drawn: its
    distribution is Wishart's, and Bartlett's triangle gives it from a number per two cells.

    Args:
        pulls: `(num_speakers, num_cells)`.
        rng: Where chance comes from.
        num_draws: How many.

    Returns:
        `(num_draws, num_cells, num_cells)`.

    Source:
        Bartlett (1933), "On the theory of statistical regression", Proceedings of the Royal
        Society of Edinburgh 53; Anderson (2003), "An introduction to multivariate statistical
        analysis", section 7.2.
    """
    num_speakers, num_cells = pulls.shape
    degrees = num_speakers - 1
    if num_speakers <= max(_MOST_DRAWN_EACH, num_cells):
        rows = rng.normal(size=(num_draws, degrees, num_speakers)) @ pulls
        return np.asarray(np.swapaxes(rows, 1, 2) @ rows / degrees)
    triangle = np.tril(rng.normal(size=(num_draws, num_cells, num_cells)), -1)
    diagonal = np.arange(num_cells)
    squares = rng.chisquare(degrees - diagonal, size=(num_draws, num_cells))
    triangle[:, diagonal, diagonal] = np.sqrt(squares)
    # Cells may be equal: their covariance has a root all the same, if no Cholesky factor.
    values, directions = np.linalg.eigh(pulls.T @ pulls)
    factor = (directions * np.sqrt(np.maximum(values, 0.0))) @ triangle
    return np.asarray(factor @ np.swapaxes(factor, 1, 2) / degrees)


def optimism(
    scorers: Sequence[Scorer],
    num_speakers: int,
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
) -> float:
    """Return by how much the highest score of several cells is too high for having been chosen.

    Speakers, and each cell's seeds where there are several, are resampled; the best cell of a
    resample is asked about the speakers and seeds that are not in it, and so is the cell that
    won on all of them. The mean difference of the two is what choosing on the same speakers
    seems to bring and does not.

    Args:
        scorers: Of each cell.
        num_speakers: Who are resampled.
        rng: Where chance comes from.
        num_resamples: How many; those in which a score is not defined, inside or outside, as UAR
            without a class, do not count.

    Returns:
        At least 0; 0 for a single cell, NaN where no resample has a score on both sides.

    Source:
        Tsamardinos, Greasidou & Borboudakis (2018), "Bootstrapping the out-of-sample predictions
        for efficient and accurate cross-validation", doi:10.1007/s10994-018-5714-4 (BBC-CV),
        over speakers and seeds in place of samples.
    """
    if len(scorers) < 2:
        return 0.0
    shares = [1 / num_speakers] * num_speakers
    inside = rng.multinomial(num_speakers, shares, size=num_resamples).astype(np.float64)
    sides = [scorers[0](side) for side in (inside, _outside(inside))]
    inside = inside[np.isfinite(np.concatenate(sides, axis=1)).all(axis=1)]
    if not len(inside):
        return float("nan")
    scores = [_both_sides(score, inside, rng) for score in scorers]
    chosen_on, asked = (np.stack(side, axis=1) for side in zip(*scores, strict=True))
    winner = _first_highest(
        np.array([score(np.ones((1, num_speakers))).mean() for score in scorers])
    )
    best = np.take_along_axis(asked, chosen_on.argmax(axis=1)[:, None], axis=1)[:, 0]
    return max(float((asked[:, winner] - best).mean()), 0.0)


def _outside(inside: Floats) -> Floats:
    return np.asarray(inside == 0, dtype=np.float64)


def _both_sides(score: Scorer, inside: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return a cell's score inside and outside of every resample, each `(num_resamples,)`."""
    by_seed, by_seed_outside = score(inside), score(_outside(inside))
    num_seeds = by_seed.shape[1]
    seeds = rng.multinomial(num_seeds, [1 / num_seeds] * num_seeds, size=len(inside))
    others = np.where((seeds == 0).any(axis=1, keepdims=True), seeds == 0, 1)
    return _weighted_mean(by_seed, seeds), _weighted_mean(by_seed_outside, others)


def _weighted_mean(by_seed: Floats, weights: NDArray[np.int64]) -> Floats:
    return np.asarray((by_seed * weights).sum(axis=1) / weights.sum(axis=1))
