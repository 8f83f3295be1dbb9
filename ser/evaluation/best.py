"""Which cell is the best of many, and how good is it, when one set of numbers chose and praises it?

Everything comes from what other speakers, and other seeds, would have made of the same cells: the
chance of each to be the best, the cells that are not told apart from the best, and by how much the
winner's score is too good. How often they are right was simulated:
docs/decisions/0032-the-best-of-many.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser.evaluation import jackknife, statistics
from ser.evaluation.jackknife import Floats, Seeds
from ser.evaluation.statistics import LEVEL
from ser.grid.params import Cell

NUM_DRAWS = 4999
NUM_RESAMPLES = 999
#: Draws are made so many at a time: all together would fill gigabytes.
_CHUNK = 500
#: UARs that differ by less are equal but for rounding.
_ROUNDING = 1e-12


class Contest(NamedTuple):
    """Cells that were tested on the same utterances.

    Args:
        uars: Of each cell `(num_cells,)`, mean over seeds.
        pulls: Of each speaker on each cell `(num_speakers, num_cells)`, see
            `ser.evaluation.jackknife.pulls`.
        seeds: What seeds add, each `(num_cells,)`.
        errors: Standard error of the difference of two cells `(num_cells, num_cells)`; NaN
            for a single speaker.
        p: Of the paired test of two cells, the same.
    """

    uars: Floats
    pulls: Floats
    seeds: Seeds
    errors: Floats
    p: Floats


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cell stands in the contest for the best.

    Args:
        probability: That it is the best, in [0, 1]; in sum 1 over the cells; NaN where there
            is one speaker.
        p: Two-sided, of the paired test against the cell with the highest UAR; NaN for that
            cell itself.
        p_corrected: Of the hypothesis that no other is better, corrected for the number of
            cells.
        optimism: Of the cell with the highest UAR, by how much it is too high, see `optimism`;
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
    """Return how each cell stands.

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
    rng = np.random.default_rng(seed)
    winner = _first_highest(contest.uars)
    rows = zip(
        counts_of,
        probabilities(contest, rng, num_draws).tolist(),
        contest.p[winner].tolist(),
        corrected_p(contest, rng, num_draws).tolist(),
        strict=True,
    )
    too_high = optimism(hits, spoken, rng)
    nan = float("nan")
    return {
        cell: Standing(chance, p, p_corrected, nan)
        if number != winner
        else Standing(chance, nan, p_corrected, too_high)
        for number, (cell, chance, p, p_corrected) in enumerate(rows)
    }


def _first_highest(uars: Floats) -> int:
    """Return the first of the highest, whatever rounding says."""
    return int(np.flatnonzero(uars >= uars.max() - _ROUNDING)[0])


def contest_of(hits: Floats, spoken: Floats, seeds: Seeds) -> Contest:
    """Return the contest of cells.

    Args:
        hits: `(num_cells, num_speakers, num_classes)`, mean over seeds.
        spoken: `(num_speakers, num_classes)`, of all cells.
        seeds: Each `(num_cells,)`, see `ser.evaluation.jackknife.seeds_of`.

    Raises:
        ValueError: A class is spoken by nobody.
    """
    pairs = jackknife.both_seeds(
        Seeds(seeds.variance[:, None], seeds.degrees[:, None]),
        Seeds(seeds.variance[None], seeds.degrees[None]),
    )
    found = statistics.difference(hits[:, None] - hits[None], spoken, pairs)
    return Contest(
        uars=(hits.sum(axis=1) / spoken.sum(axis=0)).mean(axis=-1),
        pulls=jackknife.pulls(hits, spoken).T,
        seeds=seeds,
        errors=found.standard_error,
        p=found.p,
    )


def probabilities(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return how probable it is that each cell is the best `(num_cells,)`, in sum 1.

    In a draw every speaker's pull counts with a random weight, normal and in the mean 0, and so
    does every cell's seeds' part; the change is distributed after Student, as in the paired
    test. The probability is the share of draws in which a cell's UAR comes out highest; equal
    cells share a draw.

    Args:
        contest: The cells.
        rng: Where chance comes from.
        num_draws: How many.

    Returns:
        In [0, 1]; NaN where there is one speaker.

    Source:
        Chernozhukov, Chetverikov & Kato (2013), arXiv:1212.6906, for the multiplier bootstrap.
        Unlike a resample of speakers it never lacks a class, and its variance has no bias.
    """
    num_speakers = len(contest.pulls)
    if num_speakers < 2:
        return np.full(len(contest.uars), np.nan)
    degrees = num_speakers - 1
    scale = rng.chisquare(degrees, size=(num_draws, 1)) / degrees
    values = contest.uars + _changes(contest, rng, num_draws) / np.sqrt(scale)
    is_best = values >= values.max(axis=1, keepdims=True) - _ROUNDING
    return np.asarray((is_best / is_best.sum(axis=1, keepdims=True)).mean(axis=0))


def _changes(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return what other speakers and seeds change of the UARs `(num_draws, num_cells)`."""
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
        In (0, 1]; 1 where there is one speaker or one cell.

    Source:
        Hsu (1984), "Constrained simultaneous confidence intervals for multiple comparisons with
        the best", Annals of Statistics 12, for comparing each cell with all others, one-sided.
        His table asks for independent cells of equal variance; the draws are ours.
    """
    num_speakers, num_cells = contest.pulls.shape
    if num_speakers < 2 or num_cells < 2:
        return np.ones(num_cells)
    lead = np.where(np.eye(num_cells), -np.inf, contest.uars[:, None] - contest.uars)
    largest = (lead / contest.errors).max(axis=0) - _ROUNDING
    sizes = [min(_CHUNK, num_draws - start) for start in range(0, num_draws, _CHUNK)]
    beyond = sum((_drawn_largest(contest, rng, size) >= largest).sum(axis=0) for size in sizes)
    return np.asarray((1 + beyond) / (1 + num_draws))


def _drawn_largest(contest: Contest, rng: np.random.Generator, num_draws: int) -> Floats:
    """Return the largest lead over each cell among equals `(num_draws, num_cells)`."""
    num_speakers, num_cells = contest.pulls.shape
    degrees = num_speakers - 1
    rows = rng.normal(size=(num_draws, degrees, num_speakers)) @ contest.pulls
    covariance = np.swapaxes(rows, 1, 2) @ rows / degrees
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


def optimism(
    hits: Sequence[Floats],
    spoken: Floats,
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
) -> float:
    """Return by how much the highest UAR of several cells is too high for having been chosen.

    Speakers, and each cell's seeds where there are several, are resampled; the best cell of a
    resample is asked about the speakers and seeds that are not in it, and so is the cell that
    won on all of them. The mean difference of the two is what choosing on the same speakers
    seems to bring and does not.

    Args:
        hits: Of each cell `(num_seeds, num_speakers, num_classes)`.
        spoken: `(num_speakers, num_classes)`.
        rng: Where chance comes from.
        num_resamples: How many; those that leave a class out, inside or outside, do not count.

    Returns:
        At least 0; 0 for a single cell, NaN where no resample has every class on both sides.

    Source:
        Tsamardinos, Greasidou & Borboudakis (2018), "Bootstrapping the out-of-sample predictions
        for efficient and accurate cross-validation", doi:10.1007/s10994-018-5714-4 (BBC-CV),
        over speakers and seeds in place of samples.
    """
    if len(hits) < 2:
        return 0.0
    num_speakers = len(spoken)
    inside = rng.multinomial(num_speakers, [1 / num_speakers] * num_speakers, size=num_resamples)
    inside = inside[((inside @ spoken > 0) & ((inside == 0) @ spoken > 0)).all(axis=1)]
    if not len(inside):
        return float("nan")
    scores = [_both_sides(one, spoken, inside.astype(np.float64), rng) for one in hits]
    chosen_on, asked = (np.stack(side, axis=1) for side in zip(*scores, strict=True))
    uars = [(one.mean(axis=0).sum(axis=0) / spoken.sum(axis=0)).mean() for one in hits]
    winner = _first_highest(np.array(uars))
    best = np.take_along_axis(asked, chosen_on.argmax(axis=1)[:, None], axis=1)[:, 0]
    return max(float((asked[:, winner] - best).mean()), 0.0)


def _both_sides(
    hits: Floats, spoken: Floats, inside: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return a cell's UAR inside and outside of every resample, each `(num_resamples,)`."""
    num_seeds = len(hits)
    seeds = rng.multinomial(num_seeds, [1 / num_seeds] * num_seeds, size=len(inside))
    others = np.where((seeds == 0).any(axis=1, keepdims=True), seeds == 0, 1)
    found = []
    for weights, speakers in ((seeds, inside), (others, (inside == 0).astype(np.float64))):
        shares = weights / weights.sum(axis=1, keepdims=True)
        right = np.einsum("nr,ns,rsk->nk", shares, speakers, hits, optimize=True)
        found.append((right / (speakers @ spoken)).mean(axis=1))
    return found[0], found[1]
