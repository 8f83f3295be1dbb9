"""Does a decision stay the same when a recording is changed? A share, and its interval."""

import numpy as np
from numpy.typing import NDArray

from ser.evaluation.statistics import Interval, share_interval


def stability(
    before: NDArray[np.str_],
    after: NDArray[np.str_],
    speakers: NDArray[np.str_],
    *,
    num_seeds: int = 1,
) -> tuple[float, Interval]:
    """Return the share of utterances whose emotion stays the same.

    Args:
        before: Emotion of each utterance as it is `(num_decisions,)`, at least one.
        after: The same, changed.
        speakers: Who speaks, same shape.
        num_seeds: As many decisions are about the same utterance.

    Returns:
        The share, in [0, 1], and its 95 % interval over speakers, NaN for a single one.
    """
    _, positions = np.unique(speakers, return_inverse=True)
    asked = np.bincount(positions) / num_seeds
    same = np.bincount(positions, weights=before == after) / num_seeds
    return float(same.sum() / asked.sum()), share_interval(same, asked)
