"""Samples as a request may send them: numbers, or one list of numbers per channel."""

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ser.errors import AudioInputError
from ser.wording import shown

_Row = list[Any] | tuple[Any, ...] | NDArray[Any]
_NUMBER_TYPES = (int, float, np.integer, np.floating)
_RULE = "samples must be a list of numbers, or one such list per channel"


def rows_of(samples: object) -> Sequence[object] | NDArray[Any]:
    """Return one row per channel, not yet looked into.

    Args:
        samples: A list or array of numbers, or of channels.

    Raises:
        AudioInputError: No list or array, or an empty one.
    """
    if not _is_row(samples):
        raise AudioInputError(f"{_RULE}; got {shown(samples)}")
    if len(samples) == 0:
        raise AudioInputError("empty: samples holds no numbers")
    return samples if _is_row(samples[0]) else [samples]


def length_of(rows: Sequence[object] | NDArray[Any]) -> int:
    """Return how many samples each channel has.

    Raises:
        AudioInputError: A channel is no list, is empty, or is longer than another.
    """
    lengths = []
    for row in rows:
        if not _is_row(row):
            raise AudioInputError(f"{_RULE}; got {shown(row)} among the channels")
        lengths.append(len(row))
    if min(lengths) != max(lengths):
        raise AudioInputError(
            f"{_RULE} of equal length; got channels of {min(lengths)} to {max(lengths)} numbers"
        )
    if lengths[0] == 0:
        raise AudioInputError("empty: the channels hold no numbers")
    return lengths[0]


def table_of(rows: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
    """Return the numbers, `(num_channels, num_samples)`.

    Raises:
        AudioInputError: There is text, a boolean, null or a further list among them.
    """
    return np.stack([_numbers(row) for row in rows])


def rate_of(value: object) -> int:
    """Return a sampling rate, in Hz.

    Raises:
        AudioInputError: Not a whole number above 0.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AudioInputError(f"sampling_rate must be a number, in Hz; got {shown(value)}")
    is_whole = isinstance(value, int) or value.is_integer()  # not so NaN and infinity
    if not is_whole or value <= 0:
        raise AudioInputError(
            f"sampling_rate must be a whole number above 0, in Hz; got {shown(value)}"
        )
    return int(value)


def _is_row(value: object) -> TypeGuard[_Row]:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _numbers(row: _Row) -> NDArray[np.float64]:
    """Return the numbers of a channel."""
    if isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype.kind in "iuf":
        return row.astype(np.float64)
    # Booleans are integers to Python, and NumPy makes numbers of them in silence.
    for kind in set(map(type, row)):
        if kind is bool or not issubclass(kind, _NUMBER_TYPES):
            position, found = next(pair for pair in enumerate(row) if type(pair[1]) is kind)
            raise AudioInputError(f"{_RULE}; got {shown(found)} at position {position}")
    try:
        return np.array(row, np.float64)
    except OverflowError as error:
        raise AudioInputError(
            "samples hold an integer beyond all floats, but full scale is [-1, 1]"
        ) from error
