"""Average ranks of the losses over speakers, and how far apart ranks must be to differ."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from ser.evaluation.comparison import ALPHA


@dataclass(frozen=True, slots=True)
class Ranking:
    """Treatments ranked within blocks.

    Args:
        mean_ranks: Name -> mean rank, 1 is best; best first.
        num_blocks: Speakers.
        friedman_p: Of the hypothesis that all have the same rank.
        critical_difference: Two mean ranks at least this far apart differ at the 5 % level
            (Nemenyi), all pairs taken together.
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
            last = max(i for i, rank in enumerate(ranks) if rank - low < self.critical_difference)
            if last > first and (not runs or last > runs[-1][1]):
                runs.append((first, last))
        return [(names[first], names[last]) for first, last in runs]


def rank(scores: pd.DataFrame) -> Ranking | None:
    """Rank treatments within blocks.

    Args:
        scores: One row per block (speaker), one column per treatment (loss), higher is
            better.

    Returns:
        The ranking; None with fewer than three treatments or two blocks, for which the
        test is not defined.

    Source:
        Demsar (2006), "Statistical comparisons of classifiers over multiple data sets",
        sections 3.2.2 and 3.2.4; blocks are speakers here.
    """
    num_blocks, num_treatments = scores.shape
    if num_treatments < 3 or num_blocks < 2:
        return None
    ranks = np.mean([rankdata(-row) for row in scores.to_numpy()], axis=0)
    order = np.argsort(ranks, kind="stable")
    is_constant = bool((np.ptp(scores.to_numpy(), axis=1) == 0).all())
    p = 1.0 if is_constant else float(friedmanchisquare(*scores.to_numpy().T).pvalue)
    # The studentised range for infinitely many degrees of freedom, over sqrt 2.
    q = studentized_range.ppf(1 - ALPHA, num_treatments, np.inf) / np.sqrt(2)
    spread = np.sqrt(num_treatments * (num_treatments + 1) / (6 * num_blocks))
    names = [str(name) for name in scores.columns]
    return Ranking({names[i]: float(ranks[i]) for i in order}, num_blocks, p, float(q * spread))
