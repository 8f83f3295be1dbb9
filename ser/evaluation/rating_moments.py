"""What each speaker adds to CCC and MAE, so that both are known without any of them, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser.emotion import DIMENSION_RANGE, DIMENSIONS
from ser.evaluation.jackknife import Floats

#: Sums of one speaker on one dimension, r the rating and s what the model says: number, r, s,
#: r^2, s^2, r s, |r - s|.
_NUM_SUMS = 7
#: Numbers near zero keep more digits when they are squared.
_MIDDLE = sum(DIMENSION_RANGE) / 2


@dataclass(frozen=True, slots=True)
class RatingMoments:
    """The sums that CCC and MAE are made of.

    Args:
        dimensions: Those that somebody rated, in the order of `ser.emotion.DIMENSIONS`.
        speakers: Sorted.
        sums: `(num_seeds, num_speakers, num_dimensions, 7)`.
    """

    dimensions: tuple[str, ...]
    speakers: tuple[str, ...]
    sums: Floats

    @property
    def num_rated(self) -> NDArray[np.int64]:
        """Rated utterances `(num_speakers, num_dimensions)`, each counted once."""
        return self.sums[0, ..., 0].astype(np.int64)

    def scores(self) -> dict[str, Floats]:
        """Return every score under each seed, pooled over speakers, see `_scores`."""
        return self._scores(self.sums.sum(axis=1))

    @property
    def num_utterances(self) -> float:
        """As many independent utterances as the mean over the dimensions is of."""
        return float(len(self.dimensions) ** 2 / (1 / self.num_rated.sum(axis=0)).sum())

    def left_out(self) -> dict[str, Floats]:
        """Return every score without each speaker `(num_seeds, num_speakers)`."""
        return self._scores(self.sums.sum(axis=1, keepdims=True) - self.sums)

    def weighted(self, weights: Floats) -> dict[str, Floats]:
        """Return every score where speakers count more or less than once.

        Args:
            weights: Of each speaker `(num_resamples, num_speakers)`.

        Returns:
            `(num_resamples, num_seeds)` each.
        """
        return self._scores(np.einsum("ns,rsdk->nrdk", weights, self.sums, optimize=True))

    def _scores(self, sums: Floats) -> dict[str, Floats]:
        """Return scores of sums `(..., num_dimensions, 7)`.

        Returns:
            `ccc` and `mae`, means over the dimensions, then both of each dimension
            `(...)`; NaN where nobody rates.
        """
        found = {"ccc": _ccc(sums), "mae": _mae(sums)}
        means = {name: values.mean(axis=-1) for name, values in found.items()}
        return means | {
            f"{name}_{dimension}": values[..., index]
            for index, dimension in enumerate(self.dimensions)
            for name, values in found.items()
        }


def of_predictions(test: pd.DataFrame, speaker_of: Mapping[str, str]) -> RatingMoments:
    """Return the sums of the test parts of a cell.

    Args:
        test: Its predictions, see `ser.predictions.table`; every seed tests each utterance once.
        speaker_of: Utterance id -> speaker.
    """
    dimensions = tuple(name for name in DIMENSIONS if test[name].notna().any())
    speakers = test["utterance_id"].map(dict(speaker_of))
    seeds = [rows for _, rows in test.groupby("seed")]
    names = tuple(sorted(set(speakers)))
    sums = [_sums(rows, speakers[rows.index], names, dimensions) for rows in seeds]
    return RatingMoments(dimensions, names, np.stack(sums))


def _sums(
    rows: pd.DataFrame, speakers: pd.Series, names: Sequence[str], dimensions: Sequence[str]
) -> Floats:
    """Return the sums of one seed `(num_speakers, num_dimensions, 7)`."""
    positions = pd.Index(names).get_indexer(pd.Index(speakers))
    found = np.zeros((len(names), len(dimensions), _NUM_SUMS))
    for index, dimension in enumerate(dimensions):
        rating = rows[dimension].to_numpy(dtype=np.float64) - _MIDDLE
        said = rows[f"predicted_{dimension}"].to_numpy(dtype=np.float64) - _MIDDLE
        is_rated = ~np.isnan(rating)
        r, s = rating[is_rated], said[is_rated]
        terms = np.stack([np.ones_like(r), r, s, r * r, s * s, r * s, np.abs(r - s)], axis=-1)
        np.add.at(found[:, index], positions[is_rated], terms)
    return found


def _ccc(sums: Floats) -> Floats:
    """Return `ser.concordance.ccc` of sums `(..., 7)`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        r, s, rr, ss, rs = (sums[..., n] / sums[..., 0] for n in range(1, 6))
        spread = (rr - r * r) + (ss - s * s) + (r - s) ** 2
        # What is left of a spread of zero after rounding divides nothing.
        found: Floats = np.where(spread > 1e-12, 2 * (rs - r * s) / spread, spread * 0.0)
    return found


def _mae(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = sums[..., 6] / sums[..., 0]
    return found
