"""Average ranks of the losses over speakers, and how far apart ranks must be to differ.

Both answers come from exchanging the losses at random within each speaker. That is exact for as
few speakers as there are, and where losses share a rank, which tables and approximations are not.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser.evaluation.comparison import ALPHA

NUM_EXCHANGES = 9999
#: Mean ranks that differ by less are equal but for rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Ranking:
    """Treatments ranked within blocks.

    Args:
        mean_ranks: Name -> mean rank, 1 is best; best first.
        num_blocks: Speakers.
        friedman_p: Of the hypothesis that all have the same rank.
        critical_difference: Two mean ranks at least this far apart differ at the 5 % level,
            all pairs taken together; the number of treatments where no distance is enough.
    """

    mean_ranks: dict[str, float]
    num_blocks: int
    friedman_p: float
    critical_difference: float

    def groups(self) -> list[tuple[str, str]]:
        """Return the longest runs of names that are not told apart, as (first, last)."""
        names, ranks = list(self.mean_ranks), list(self.mean_ranks.values())
        runs: list[tuple[int, int]] = []
        for first, low in enumerate(ranks):
            enough = self.critical_difference - _ROUNDING
            last = max(i for i, rank in enumerate(ranks) if rank - low < enough)
            if last > first and (not runs or last > runs[-1][1]):
                runs.append((first, last))
        return [(names[first], names[last]) for first, last in runs]


def rank(
    scores: pd.DataFrame, *, seed: int = 0, num_exchanges: int = NUM_EXCHANGES
) -> Ranking | None:
    """Rank treatments within blocks.

    Args:
        scores: One row per block (speaker), one column per treatment (loss), higher is
            better.
        seed: Of the exchanges.
        num_exchanges: How often the ranks of every block are exchanged at random.

    Returns:
        The ranking; None with fewer than three treatments or two blocks, for which the
        test is not defined. `friedman_p` is the share of exchanges whose mean ranks are as
        far from equal as Friedman's statistic finds these; the critical difference is the
        least that the outermost mean ranks reach in at most 5 % of them.

    Source:
        Demsar (2006), "Statistical comparisons of classifiers over multiple data sets",
        sections 3.2.2 and 3.2.4, for both questions; blocks are speakers here. Friedman
        (1937) for the test by exchanges; the observed ranks count as one of them, Phipson &
        Smyth (2010), equation 2.
    """
    num_blocks, num_treatments = scores.shape
    if num_treatments < 3 or num_blocks < 2:
        return None
    # Here, not at the top: whoever only reads what was ranked waits for no statistics library.
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(-scores.to_numpy(), axis=1), dtype=np.float64)
    means = ranks.mean(axis=0)
    exchanged = np.vstack([means, _exchanged(ranks, seed=seed, num_exchanges=num_exchanges)])
    # Where a rank is shared, both statistics of every exchange have the same denominator.
    spreads = ((exchanged - (num_treatments + 1) / 2) ** 2).sum(axis=1)
    order = np.argsort(means, kind="stable")
    names = [str(name) for name in scores.columns]
    return Ranking(
        mean_ranks={names[i]: float(means[i]) for i in order},
        num_blocks=num_blocks,
        friedman_p=float((spreads >= spreads[0] - _ROUNDING).mean()),
        critical_difference=_critical(np.ptp(exchanged, axis=1), none=float(num_treatments)),
    )


def _exchanged(ranks: NDArray[np.float64], *, seed: int, num_exchanges: int) -> NDArray[np.float64]:
    """Return mean ranks `(num_exchanges, num_treatments)` after exchanges within blocks."""
    rng = np.random.default_rng(seed)
    total = np.zeros((num_exchanges, ranks.shape[1]))
    for block in ranks:  # one by one: all together would fill gigabytes
        total += rng.permuted(np.broadcast_to(block, total.shape), axis=1)
    return total / len(ranks)


def _critical(ranges: NDArray[np.float64], *, none: float) -> float:
    """Return the least range that at most 5 % of the ranges reach; `none` if there is none."""
    ordered = np.sort(ranges)
    num_reaching = len(ordered) - np.searchsorted(ordered, ordered - _ROUNDING)
    is_rare = num_reaching <= ALPHA * len(ordered)
    return float(ordered[is_rare][0]) if is_rare.any() else none
