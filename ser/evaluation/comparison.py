"""Is one cell better than another? Paired, over the same speakers and utterances.

Interval and p come from one statistic, `ser.evaluation.statistics.difference`, so that they
never say different things.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from ser import metrics
from ser.evaluation import jackknife, statistics
from ser.evaluation.statistics import LEVEL
from ser.grid.params import Cell

COLUMNS = (
    "family",
    "model_a",
    "loss_a",
    "model_b",
    "loss_b",
    "num_speakers",
    "num_utterances",
    "uar_a",
    "uar_b",
    "difference",
    "difference_low",
    "difference_high",
    "standard_error",
    "effect_size",
    "p",
    "p_holm",
    "significant",
)
ALPHA = 1 - LEVEL
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Paired:
    """Two cells on the same utterances.

    Args:
        uar_a, uar_b: In [0, 1].
        difference: uar_a - uar_b.
        low, high: 95 % interval of the difference over speakers, and over seeds where there are
            several; NaN for one speaker.
        standard_error: Of the difference, from the jackknife over speakers and from seeds; NaN
            for one speaker.
        effect_size: Mean of the speakers' parts of the difference in units of their
            standard deviation (Cohen's d_z); NaN where that is zero.
        p: Of the two-sided t test over speakers, below 0.05 exactly where the interval does
            not hold zero; 1 for one speaker.
    """

    uar_a: float
    uar_b: float
    difference: float
    low: float
    high: float
    standard_error: float
    effect_size: float
    p: float


def compare(a: NDArray[np.float64], b: NDArray[np.float64]) -> Paired:
    """Compare two cells.

    Args:
        a: Confusion counts per seed and speaker
            `([num_seeds,] num_speakers, num_classes, num_classes)`, rows truth. Without the
            first axis, or under one seed, the trained models are held fixed.
        b: The same of the other cell; the same speakers in the same order, the seeds may be
            fewer.

    Returns:
        The comparison, see `ser.evaluation.statistics.difference`.

    Raises:
        ValueError: The cells did not hear the same utterances, or a class is spoken by
            nobody.
    """
    seeds_a, spoken = statistics.tallies_by_seed(a)
    seeds_b, spoken_b = statistics.tallies_by_seed(b)
    if spoken.shape != spoken_b.shape or not np.allclose(spoken, spoken_b):
        raise ValueError("cells were tested on different utterances, so they make no pair")
    totals = spoken.sum(axis=0)
    hits_a, hits_b = seeds_a.mean(axis=0), seeds_b.mean(axis=0)
    # What each speaker adds to the difference: UAR = sum_s (1/K) sum_k h_sk / N_k.
    parts = metrics.uar_of(hits_a - hits_b, totals)
    seeds = jackknife.both_seeds(*(jackknife.seeds_of(one, spoken) for one in (seeds_a, seeds_b)))
    found = statistics.difference(hits_a - hits_b, spoken, seeds)
    spread = parts.std(ddof=1) if len(parts) > 1 else 0.0
    return Paired(
        uar_a=float(metrics.uar_of(hits_a.sum(axis=0), totals)),
        uar_b=float(metrics.uar_of(hits_b.sum(axis=0), totals)),
        difference=float(parts.sum()),
        low=float(found.low),
        high=float(found.high),
        standard_error=float(found.standard_error),
        effect_size=float(parts.mean() / spread) if spread > 1e-12 else float("nan"),
        p=float(found.p),
    )


def detectable_difference(standard_error: float, *, num_speakers: int) -> float:
    """Return the true difference that would be found about four times out of five.

    Args:
        standard_error: Of the paired difference.
        num_speakers: At least two.

    Returns:
        (t_0.975 + t_0.8) * standard_error with num_speakers - 1 degrees of freedom, for one
        comparison; Holm's correction asks for more.
    """
    quantiles = stdtrit(num_speakers - 1, [1 - ALPHA / 2, POWER])
    return float(quantiles.sum() * standard_error)


def pairs_table(counts_of: Mapping[Cell, NDArray[np.float64]]) -> pd.DataFrame:
    """Return every pair of losses within a model, and of models within a loss.

    Args:
        counts_of: (model, loss) -> confusion counts, see `compare`.

    Returns:
        One row per pair with `COLUMNS`; p is corrected after Holm within its family, the
        pairs of one model or of one loss.

    Source:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    families = [
        *((f"losses of {name}", 0, name) for name in dict.fromkeys(c[0] for c in counts_of)),
        *((f"models with {name}", 1, name) for name in dict.fromkeys(c[1] for c in counts_of)),
    ]
    tables = []
    for family, position, name in families:
        members = [cell for cell in counts_of if cell[position] == name]
        rows = [_pair_row(family, a, b, counts_of) for a, b in itertools.combinations(members, 2)]
        if rows:
            table = pd.DataFrame(rows)
            table["p_holm"] = holm(table["p"].to_numpy())
            tables.append(table)
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    pairs = pd.concat(tables, ignore_index=True)
    pairs["significant"] = pairs["p_holm"] < ALPHA
    return pairs[list(COLUMNS)]


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p values corrected after Holm `(num_comparisons,)`: steps down, never falling.

    Source:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _pair_row(
    family: str, a: Cell, b: Cell, counts_of: Mapping[Cell, NDArray[np.float64]]
) -> dict[str, object]:
    found = compare(counts_of[a], counts_of[b])
    return {
        "family": family,
        "model_a": a[0],
        "loss_a": a[1],
        "model_b": b[0],
        "loss_b": b[1],
        "num_speakers": counts_of[a].shape[-3],
        "num_utterances": round(float(statistics.tallies_by_seed(counts_of[a])[1].sum())),
        "uar_a": found.uar_a,
        "uar_b": found.uar_b,
        "difference": found.difference,
        "difference_low": found.low,
        "difference_high": found.high,
        "standard_error": found.standard_error,
        "effect_size": found.effect_size,
        "p": found.p,
    }
