"""From what overlapping windows say to what is said at each time: numbers only.

The steps are those of diarisation: average over the windows that cover a frame, a hidden Markov
model whose states are the emotions (Viterbi's path, Rabiner 1989, doi:10.1109/5.18626), and a least
duration (docs/decisions/0039-long-recordings.md).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: No probability counts as less: one frame alone must not decide.
_FLOOR = 1e-3


def frame_means(
    values: NDArray[np.float64],
    times: Sequence[tuple[float, float]],
    weights: NDArray[np.float64],
    middles: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weighted mean over the windows that cover the middle of each frame.

    Args:
        values: Of the windows, `(num_windows, num_values)`.
        times: Where each window begins and ends, in seconds, in order.
        weights: Of each window, above 0, `(num_windows,)`.
        middles: Of the frames, in seconds, `(num_frames,)`.

    Returns:
        `(num_frames, num_values)`; NaN where no window covers a frame.
    """
    starts, ends = np.array(times).T
    # Windows in order begin and end in order: those that cover a moment are neighbours.
    first = np.searchsorted(ends, middles, side="right")
    end = np.searchsorted(starts, middles, side="right")
    weighted = np.column_stack([values, np.ones(len(values))]) * weights[:, np.newaxis]
    sums = np.vstack([np.zeros(weighted.shape[1]), weighted.cumsum(axis=0)])
    found = sums[np.maximum(end, first)] - sums[first]
    with np.errstate(invalid="ignore"):  # 0 / 0, where no window is
        means: NDArray[np.float64] = found[:, :-1] / found[:, -1:]
    means[end <= first] = np.nan
    return means


def likeliest_path(
    probabilities: NDArray[np.float64], *, weight: float, switch_cost: float
) -> NDArray[np.intp]:
    """Return the class of each frame on the likeliest path: a change must be worth its cost.

    The path s that is largest in `sum_f weight * log p_f(s_f) - switch_cost * number of changes`.

    Args:
        probabilities: `(num_frames, num_classes)`, at least one frame.
        weight: Of a frame, above 0: frames that are made of the same windows are no independent
            witnesses.
        switch_cost: Of a change, in nats, 0 or more; 0 takes the likeliest class of each frame.

    Returns:
        `(num_frames,)`.
    """
    scores = weight * np.log(np.maximum(probabilities, _FLOOR))
    num_frames, num_classes = scores.shape
    came_from = np.tile(np.arange(num_classes), (num_frames, 1))
    best = scores[0]
    for number in range(1, num_frames):
        leader = int(best.argmax())
        changes = best < best[leader] - switch_cost
        came_from[number, changes] = leader
        best = np.where(changes, best[leader] - switch_cost, best) + scores[number]
    path = np.empty(num_frames, dtype=np.intp)
    path[-1] = best.argmax()
    for number in range(num_frames - 1, 0, -1):
        path[number - 1] = came_from[number, path[number]]
    return path


def runs(values: NDArray[np.integer] | NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last index (excluded) of each stretch of equal values, in order.

    Example:
        >>> runs(np.array([2, 2, 0]))
        [(0, 2), (2, 3)]
    """
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    return list(pairwise(edges))


def without_short(
    path: NDArray[np.intp], probabilities: NDArray[np.float64], *, min_frames: int
) -> NDArray[np.intp]:
    """Return a path whose stretches last, the shortest given first to the likelier neighbour.

    Args:
        path: Class of each frame, `(num_frames,)`.
        probabilities: `(num_frames, num_classes)`.
        min_frames: Least length of a stretch; a path that is shorter is left as it is.
    """
    steady = path.copy()
    while len(stretches := runs(steady)) > 1:
        number, (first, end) = min(enumerate(stretches), key=lambda one: one[1][1] - one[1][0])
        if end - first >= min_frames:
            break
        around = [n for n in (number - 1, number + 1) if 0 <= n < len(stretches)]
        beside = [steady[stretches[n][0]] for n in around]
        logs = np.log(np.maximum(probabilities[first:end], _FLOOR)).sum(axis=0)
        steady[first:end] = max(beside, key=lambda state: logs[state])
    return steady
