"""A cell of a corpus without classes in numbers: CCC and MAE of its ratings, with intervals."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser import files
from ser.evaluation import rating_moments, statistics
from ser.evaluation.rating_moments import RatingMoments


@dataclass(frozen=True, slots=True)
class RatingSummary:
    """The test scores of one cell that rates.

    Every seed tests each utterance once, over all folds together; a score is computed on these
    pooled ratings and then averaged over seeds.

    Args:
        num_folds, num_seeds: How often it was trained is their product.
        scores: `ccc` and `mae`, means over the dimensions that are rated, and both of each,
            `ccc_<dimension>` in [-1, 1] and `mae_<dimension>` in points of the scale from 1 to
            5; means over seeds.
        spread: Score -> standard deviation over seeds; NaN for a single seed.
        intervals: Score -> 95 % interval over speakers, and over seeds where there are several.
        moments: What each speaker adds to them.
        origin: Where the model's weights came from before training.
    """

    num_folds: int
    num_seeds: int
    scores: Mapping[str, float]
    spread: Mapping[str, float]
    intervals: Mapping[str, statistics.Interval]
    moments: RatingMoments
    origin: str

    def to_json(self) -> dict[str, Any]:
        """Return the content of a cell's metrics.json."""
        scores = {
            name: {
                "mean": value,
                "std_over_seeds": _or_null(self.spread[name]),
                **{key: _or_null(end) for key, end in asdict(self.intervals[name]).items()},
            }
            for name, value in self.scores.items()
        }
        return {
            "origin": self.origin,
            "num_folds": self.num_folds,
            "num_seeds": self.num_seeds,
            **scores,
            "dimensions": list(self.moments.dimensions),
            "emotions": [],
        }

    def as_metrics(self) -> dict[str, float]:
        """Return the tracking keys of the cell's parent run, e.g. `test/ccc_low`."""
        keys = {f"test/{name}": value for name, value in self.scores.items()}
        keys |= {f"test/{name}_std_over_seeds": value for name, value in self.spread.items()}
        for name, interval in self.intervals.items():
            keys |= {f"test/{name}_{end}": value for end, value in asdict(interval).items()}
        # A spread over one seed and an interval over one speaker are not known.
        return {key: value for key, value in keys.items() if not np.isnan(value)}


def summarise(
    frame: pd.DataFrame, speaker_of: Mapping[str, str], *, origin: str = "from scratch"
) -> RatingSummary:
    """Return a cell's test scores.

    Args:
        frame: Its predictions, all folds and seeds.
        speaker_of: Utterance id -> speaker.
        origin: Where the model's weights came from before training.

    Raises:
        ValueError: There are no test predictions, or an utterance is tested twice under a seed.
    """
    test = frame[frame["part"] == "test"]
    if test.empty:
        raise ValueError("there are no test predictions")
    if (twice := test.duplicated(["utterance_id", "seed"])).any():
        name = test.loc[twice, "utterance_id"].iloc[0]
        raise ValueError(f"utterance {name!r} is tested more than once under the same seed")
    moments = rating_moments.of_predictions(test, speaker_of)
    by_seed, left_out = moments.scores(), moments.left_out()
    scores = {name: float(values.mean()) for name, values in by_seed.items()}
    num_seeds = len(moments.sums)
    return RatingSummary(
        num_folds=test["fold"].nunique(),
        num_seeds=num_seeds,
        scores=scores,
        spread={
            name: float(values.std(ddof=1)) if num_seeds > 1 else float("nan")
            for name, values in by_seed.items()
        },
        intervals={
            name: statistics.left_out_interval(
                values, left_out[name], is_correlation=name.startswith("ccc")
            )
            for name, values in by_seed.items()
        },
        moments=moments,
        origin=origin,
    )


def write(path: Path, summary: RatingSummary) -> None:
    """Write a cell's metrics.json."""
    files.write_json(path, summary.to_json())


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else value
