"""Padding of length-bucketed batches against random ones, on IEMOCAP's durations."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from benchmarks.measurement import Measurement
from ser.features.batching import LengthBucketedBatches, padding_waste

#: Of the 5531 utterances of the four classes: share that is at most so long, in seconds.
_DURATION_S = {
    0.0: 0.585,
    0.05: 1.39,
    0.25: 2.32,
    0.5: 3.58,
    0.75: 5.77,
    0.95: 11.06,
    0.99: 15.54,
    1.0: 34.14,
}
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
    quantiles = PchipInterpolator(list(_DURATION_S), list(_DURATION_S.values()))
    shares = np.random.default_rng(_SEED).uniform(size=_NUM_UTTERANCES)
    frames: list[int] = (1 + (quantiles(shares) / _HOP_S).astype(int)).tolist()
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
