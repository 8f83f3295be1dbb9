"""How much a mean of shares depends on who was recorded, and on the seeds it was trained under.

Speakers are left out one by one; several seeds of the same cell are set against each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser import metrics

Floats = NDArray[np.float64]
#: Counts are means over seeds: what is left of a class is not exactly zero where it is zero.
NOTHING = 1e-6


class Jackknife(NamedTuple):
    """The mean of the shares of those classes that two speakers or more speak.

    Args:
        value: That mean; NaN where there is no such class.
        moves: What leaving out each speaker does to it, centred, last axis speakers.
        variance: Of the value, over speakers.
        num_utterances: As many utterances, each with the same chance to be right, would make
            the value vary as much if speakers were all alike.
        part: How many of all classes these are, in [0, 1].
    """

    value: Floats
    moves: Floats
    variance: Floats
    num_utterances: Floats
    part: Floats


class Seeds(NamedTuple):
    """What training under other seeds would change, beyond what speakers show, see `seeds_of`.

    Args:
        variance: Of a mean over seeds; 0 under a single seed, which does not show it.
        degrees: Of freedom with which the variance is known.
    """

    variance: Floats
    degrees: Floats


def jackknife(hits: Floats, spoken: Floats) -> Jackknife:
    """Return what leaving out each speaker in turn says; arguments as in `share_ends`."""
    num_speakers, num_classes = hits.shape[-2:]
    totals = spoken.sum(axis=-2)
    metrics.uar_of(totals, totals)  # refuses absent classes
    shares = hits.sum(axis=-2) / totals
    rest = totals[..., None, :] - spoken
    is_shared = (rest > NOTHING).all(axis=-2)
    num_shared = is_shared.sum(axis=-1)
    # A class' share minus that without the speaker.
    moved = (hits - shares[..., None, :] * spoken) / np.where(rest > NOTHING, rest, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = (moved * is_shared[..., None, :]).sum(axis=-1) / num_shared[..., None]
        moves = moves - moves.mean(axis=-1, keepdims=True)
        return Jackknife(
            value=(shares * is_shared).sum(axis=-1) / num_shared,
            moves=moves,
            variance=(num_speakers - 1) / num_speakers * (moves**2).sum(axis=-1),
            num_utterances=num_shared**2 / (is_shared / totals).sum(axis=-1),
            part=num_shared / num_classes,
        )


def seeds_of(hits: Floats, spoken: Floats) -> Seeds:
    """Return what training under other seeds would change of a mean of shares over seeds.

    The means u_r of R seeds vary as Var(u_r) / R in their mean. A part of it is that each seed
    decides otherwise about the speakers at hand; the jackknife over speakers holds that part
    already, J of the mean over seeds and J_r of each seed, as (mean J_r - J) / (R - 1). What is
    left is the seeds' own, and 0 where nothing is left:

        V = Var(u_r) / R - (mean J_r - J) / (R - 1).

    Args:
        hits: `(..., num_seeds, num_speakers, num_classes)`.
        spoken: `(..., num_speakers, num_classes)`.

    Returns:
        V `(...)`, with R - 1 degrees of freedom.

    Source:
        Searle, Casella & McCulloch (1992), "Variance Components", section 4.3: two random
        factors, crossed, by analysis of variance; estimates below 0 are set to 0.
    """
    each = jackknife(hits, spoken[..., None, :, :])
    of_mean = jackknife(hits.mean(axis=-3), spoken).variance
    return _seeds_beyond(each.value, each.variance, of_mean, num_speakers=hits.shape[-2])


def left_out_seeds(by_seed: Floats, left_out: Floats, of_mean: Floats) -> Seeds:
    """Return the same of any score, from the score without each speaker.

    Args:
        by_seed: The score under each seed `(..., num_seeds)`.
        left_out: Without each speaker in turn `(..., num_seeds, num_speakers)`.
        of_mean: The mean over seeds without each speaker `(..., num_speakers)`, on the scale of
            the others.
    """
    each, variance = left_out_variance(left_out), left_out_variance(of_mean)
    return _seeds_beyond(by_seed, each, variance, num_speakers=left_out.shape[-1])


def _seeds_beyond(
    values: Floats, variances: Floats, of_mean: Floats, *, num_speakers: int
) -> Seeds:
    """Return V of `seeds_of`, from each seed's score and jackknife `(..., num_seeds)`."""
    num_seeds, shape = values.shape[-1], values.shape[:-1]
    if num_seeds < 2 or num_speakers < 2:
        return Seeds(np.zeros(shape), np.ones(shape))
    between = values.var(axis=-1, ddof=1) / num_seeds
    in_speakers = (variances.mean(axis=-1) - of_mean) / (num_seeds - 1)
    variance = np.where(np.isnan(between), 0.0, np.maximum(between - in_speakers, 0.0))
    return Seeds(variance, np.full(shape, num_seeds - 1.0))


def left_out_pulls(left_out: Floats) -> Floats:
    """Return what each speaker does to any score; the sum of squares is its variance.

    Args:
        left_out: The score without each speaker `(..., num_speakers)`.

    Returns:
        The same shape, in sum 0.
    """
    num_speakers = left_out.shape[-1]
    moves = left_out.mean(axis=-1, keepdims=True) - left_out
    return np.asarray(np.sqrt((num_speakers - 1) / num_speakers) * moves)


def left_out_variance(left_out: Floats) -> Floats:
    """Return the jackknife's variance over speakers `(...)`; arguments as above."""
    return np.asarray((left_out_pulls(left_out) ** 2).sum(axis=-1))


def both_seeds(one: Seeds, other: Seeds) -> Seeds:
    """Return what seeds change of the difference of two means that were trained apart.

    Source:
        Satterthwaite (1946), doi:10.2307/3002019, for the degrees of freedom.
    """
    variance = one.variance + other.variance
    return Seeds(variance, degrees_of((one.variance, one.degrees), (other.variance, other.degrees)))


def seeds_of_pairs(seeds: Seeds) -> Seeds:
    """Return what seeds change of the differences of cells `(num_cells, num_cells)`.

    Args:
        seeds: Of each cell `(num_cells,)`.
    """
    one, other = (Seeds(*(np.expand_dims(part, axis) for part in seeds)) for axis in (1, 0))
    return both_seeds(one, other)


def pulls(hits: Floats, spoken: Floats) -> Floats:
    """Return what each speaker does to a mean of shares; the sum of squares is its variance.

    Args:
        hits: As for `share_ends`.
        spoken: The same.

    Returns:
        `(..., num_speakers)`, in sum 0; 0 where no class is spoken by two.
    """
    found, num_speakers = jackknife(hits, spoken), hits.shape[-2]
    factor = np.sqrt((num_speakers - 1) / num_speakers) * found.part[..., None]
    return np.where(factor > 0, factor * found.moves, 0.0)


def with_seeds(
    variance: Floats, num_speakers: int, seeds: Seeds | None
) -> tuple[Floats, Floats | float]:
    """Return the variance over speakers and seeds, and its degrees of freedom."""
    if seeds is None or num_speakers < 2:
        return variance, num_speakers - 1.0
    of_speakers = variance, np.full_like(variance, num_speakers - 1)
    return variance + seeds.variance, degrees_of(of_speakers, (seeds.variance, seeds.degrees))


def degrees_of(*parts: tuple[Floats, Floats]) -> Floats:
    """Return the degrees of freedom of a sum of variances, each with its own."""
    total = sum((variance for variance, _ in parts), np.zeros(()))
    below = sum((variance**2 / degrees for variance, degrees in parts), np.zeros(()))
    with np.errstate(invalid="ignore"):
        found = total**2 / below
    return np.where(below > 0, found, parts[0][1])
