"""Speed is compared only between computations that give the same result."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ser.errors import SerError


class DifferentResultError(SerError):
    """Ours and the alternative computed different things, so their times say nothing."""


def require_close(
    pairs: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    what: str,
    relative: float = 0.0,
    absolute: float = 0.0,
) -> None:
    """Refuse results that differ.

    Args:
        pairs: Ours and the alternative's, arrays of one shape; at least one pair.
        what: Named in the error.
        relative: Allowed difference, in units of the alternative's largest magnitude.
        absolute: Allowed difference beside that.

    Raises:
        DifferentResultError: A shape or a value differs, or there is nothing to compare.
    """
    num_pairs = 0
    for number, (ours, alternative) in enumerate(pairs):
        num_pairs += 1
        found, expected = np.asarray(ours), np.asarray(alternative)
        if found.shape != expected.shape:
            raise DifferentResultError(
                f"{what}: result {number} has shape {found.shape}, the alternative's "
                f"{expected.shape}; their speeds are not compared"
            )
        allowed = absolute + relative * float(np.abs(expected).max(initial=0.0))
        difference = float(np.abs(found - expected).max(initial=0.0))
        # Written so that a NaN, which compares as false, is refused as well.
        if not difference <= allowed:
            raise DifferentResultError(
                f"{what}: result {number} differs from the alternative's by {difference:.3g}; "
                f"at most {allowed:.3g} is allowed, and their speeds are not compared"
            )
    if num_pairs == 0:
        raise DifferentResultError(f"{what}: there is nothing to compare")


def require_same(ours: object, alternative: object, *, what: str) -> None:
    """Refuse results that are not equal.

    Raises:
        DifferentResultError: They differ.
    """
    if ours != alternative:
        raise DifferentResultError(
            f"{what}: the result differs from the alternative's, and their speeds are not compared"
        )
