"""Windows over a recording: where they lie, and their samples out of blocks that pass by."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ser.errors import AudioInputError

#: First sample of a window, and the one after its last.
Span = tuple[int, int]


def spread(num_samples: int, *, length: int, hop: int) -> list[Span]:
    """Return windows that cover a recording from its beginning to its end.

    All are of one length and equally far apart, at most `hop`: the last one ends with the
    recording, and is no nearer to the one before than the others are.

    Args:
        num_samples: Of the recording.
        length: Of a window, in samples; a recording that is not longer is one window.
        hop: From one window to the next, at most, in samples.

    Example:
        >>> spread(10, length=4, hop=2)
        [(0, 4), (2, 6), (4, 8), (6, 10)]
        >>> spread(11, length=4, hop=3)
        [(0, 4), (2, 6), (4, 8), (7, 11)]
        >>> spread(3, length=4, hop=2)
        [(0, 3)]
    """
    if num_samples <= length:
        return [(0, num_samples)]
    last = num_samples - length
    num_hops = -(-last // hop)
    # In whole numbers, so that every machine rounds alike.
    starts = [number * last // num_hops for number in range(num_hops + 1)]
    return [(start, start + length) for start in starts]


def cut(
    blocks: Iterable[NDArray[np.float32]], spans: Sequence[Span]
) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of each window; no more than a window and a block are held.

    Args:
        blocks: Of the recording, in order, `(num_samples,)` each.
        spans: Windows, in the order of their first samples.

    Raises:
        AudioInputError: The recording ends before the last window does.
    """
    _require_order(spans)
    coming = iter(blocks)
    held, offset = np.zeros(0, np.float32), 0
    for start, end in spans:
        # Of what lies between two windows, nothing is kept.
        drop = min(start - offset, len(held))
        held, offset = held[drop:], offset + drop
        parts, num_held = [held], len(held)
        while offset + num_held < end:
            block = next(coming, None)
            if block is None:
                raise AudioInputError(
                    "the recording changes while it is heard; try again when it is whole"
                )
            if not num_held:
                skip = min(start - offset, len(block))
                block, offset = block[skip:], offset + skip
            parts.append(block)
            num_held += len(block)
        held = np.concatenate(parts)
        yield held[start - offset : end - offset]


def _require_order(spans: Sequence[Span]) -> None:
    """Refuse windows that begin before the one before does: its samples have passed."""
    if any(after[0] < before[0] for before, after in pairwise(spans)):
        raise ValueError("windows must be in the order of their first samples")
