"""Take times in turn, so that what else the machine does falls on all contenders alike."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


def alternate(*contenders: Callable[[], object], repeats: int) -> list[float]:
    """Run contenders in turn, A B A B ..., and return the median time of each.

    Each runs once before, unmeasured. Python's garbage is collected between the runs and
    never during one.

    Args:
        contenders: Called without arguments; what they return is dropped.
        repeats: Measured runs of each.

    Returns:
        Seconds, in the order of the contenders.
    """
    for contender in contenders:
        contender()
    seconds: list[list[float]] = [[] for _ in contenders]
    with _no_garbage_collection():
        for _ in range(repeats):
            for contender, taken in zip(contenders, seconds, strict=True):
                gc.collect()
                start = time.perf_counter()
                contender()
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def torch_threads(num_threads: int) -> Iterator[None]:
    """Let torch use this many CPU threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
