"""Padding of length-bucketed batches against random ones, on IEMOCAP's durations."""

import numpy as np

from benchmarks.durations import iemocap_seconds
from benchmarks.measurement import Measurement
from ser.features.batching import LengthBucketedBatches, padding_waste

_NUM_UTTERANCES = 5531
_HOP_S = 0.02
_BATCH_SIZES = (8, 32)
_SEED = 0


def run(quick: bool) -> list[Measurement]:  # noqa: ARG001 (it takes no time)
    """Count padded frames; nothing is timed."""
    lengths = iemocap_lengths()
    return [_compare(lengths, batch_size) for batch_size in _BATCH_SIZES]


def iemocap_lengths() -> list[int]:
    """Return frames per utterance, drawn from IEMOCAP's percentiles by inversion."""
    seconds = iemocap_seconds(_NUM_UTTERANCES, np.random.default_rng(_SEED))
    frames: list[int] = (1 + (seconds / _HOP_S).astype(int)).tolist()
    return frames


def _compare(lengths: list[int], batch_size: int) -> Measurement:
    bucketed = LengthBucketedBatches(lengths, batch_size=batch_size, seed=_SEED).batches()
    order = np.random.default_rng(_SEED).permutation(len(lengths)).tolist()
    shuffled = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return Measurement(
        name=f"padding waste, batches of {batch_size} (IEMOCAP's durations)",
        value=100 * padding_waste(bucketed, lengths),
        unit="% of frames that are padding",
        better="lower",
        alternative="random batches of the same size",
        alternative_value=100 * padding_waste(shuffled, lengths),
        threads=1,
    )
