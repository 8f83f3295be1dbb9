"""A training step's arithmetic per second as a share of the machine's matrix-multiply peak."""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ssl_training, timing
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, BATCH_SIZE, TINY
from ser import runtime

_THREADS = 2
#: The mean utterance of IEMOCAP, 4.55 s, in frames.
_NUM_FRAMES = 227
_MATRIX = {False: 2048, True: 256}


def run(quick: bool) -> list[Measurement]:
    """Time a step of fine-tuning and a large matrix product in turn."""
    threads = min(_THREADS, runtime.num_processors())
    lengths = [_NUM_FRAMES] * BATCH_SIZE
    rows = list(range(BATCH_SIZE))
    with timing.torch_threads(threads):
        step = ssl_training.on_cached_frames(TINY if quick else BASE, "feature_encoder", lengths)
        with FlopCounterMode(display=False) as counter:
            step(rows)
        size = _MATRIX[quick]
        left, right = torch.randn(size, size), torch.randn(size, size)
        product = torch.empty(size, size)
        achieved, peak = 0.0, 0.0
        for _ in range(2 if quick else 5):
            # The peak is what the machine can do, so the best of the runs counts, for both.
            seconds = _seconds(lambda: torch.mm(left, right, out=product))
            peak = max(peak, 2 * size**3 / seconds)
            achieved = max(achieved, counter.get_total_flops() / _seconds(lambda: step(rows)))
    what = "tiny model, a quick look" if quick else "HuBERT base size, random weights"
    return [
        Measurement(
            name=f"arithmetic of a fine-tuning step, feature encoder frozen ({what}; "
            f"{BATCH_SIZE} utterances of 4.55 s): the ratio is the share of the peak",
            value=achieved / 1e9,
            unit="GFLOP per second, float32",
            better="higher",
            alternative=f"the machine's peak: a product of two {size} x {size} matrices",
            alternative_value=peak / 1e9,
            threads=threads,
        )
    ]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
