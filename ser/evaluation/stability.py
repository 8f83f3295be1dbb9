"""Does a decision stay the same when a recording is changed? A share, and its interval."""

import numpy as np
from numpy.typing import NDArray

from ser.evaluation.statistics import Interval, percentiles, speaker_draws


def stability(
    before: NDArray[np.str_], after: NDArray[np.str_], speakers: NDArray[np.str_], *, seed: int = 0
) -> tuple[float, Interval]:
    """Return the share of utterances whose emotion stays the same.

    Args:
        before: Emotion of each utterance as it is `(num_utterances,)`, at least one.
        after: The same, changed.
        speakers: Who speaks, same shape.
        seed: Of the resampling.

    Returns:
        The share, in [0, 1], and its 95 % bootstrap interval; whole speakers are drawn, and it
        is NaN for a single one.
    """
    names, positions = np.unique(speakers, return_inverse=True)
    asked = np.bincount(positions)
    same = np.bincount(positions, weights=before == after)
    share = float(same.sum() / asked.sum())
    if len(names) < 2:
        return share, Interval(float("nan"), float("nan"))
    draws = speaker_draws(len(names), seed=seed)
    return share, percentiles((draws @ same) / (draws @ asked))
