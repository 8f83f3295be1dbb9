"""What extraction and training keep in memory; run as a process of its own.

`python -m benchmarks.memory COPIES` works on the corpus repeated so often and prints one
JSON object: bytes above what the process held before, at the peak, of each.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

from benchmarks import metering
from benchmarks.recordings import Recordings
from ser import runtime

_INTERVAL_S = 0.002


def peak_growth(work: Callable[[], object]) -> int:
    """Return how far the memory rose above its start at its highest while work ran, bytes.

    Pages of a memory-mapped store are not counted: the system takes them back at will.
    """
    before = peak = metering.held().anonymous
    is_done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(_INTERVAL_S):
            peak = max(peak, metering.held().anonymous)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    work()
    is_done.set()
    watcher.join()
    return max(peak, metering.held().anonymous) - before


def repeated(recordings: Recordings, copies: int) -> Recordings:
    """Return a corpus in which every recording occurs so often, each time as another utterance."""
    return replace(
        recordings,
        utterances=tuple(
            replace(utterance, id=f"{utterance.id}-{number}")
            for number in range(copies)
            for utterance in recordings.utterances
        ),
    )


def measure(copies: int, *, quick: bool) -> dict[str, int]:
    """Return the peak growth of extraction and of an epoch of training, bytes.

    Args:
        copies: How often the corpus is repeated.
        quick: A few recordings only.
    """
    from benchmarks import recordings, timing, training_setup

    corpus = recordings.load(quick=quick)
    large = repeated(corpus, copies)
    with tempfile.TemporaryDirectory() as folder, timing.torch_threads(1):
        # What the first of anything costs, imports and caches, is not the corpus' size.
        warm = training_setup.extract(corpus, Path(folder) / "warm")
        _train(corpus, warm)
        store = Path(folder) / "store"
        extraction = peak_growth(lambda: training_setup.extract(large, store))
        opened = type(warm)(store)
        return {"extraction": extraction, "training": peak_growth(lambda: _train(large, opened))}


def _train(corpus: Recordings, store: object) -> None:
    from benchmarks import training_setup
    from ser.features.store import FeatureStore

    assert isinstance(store, FeatureStore)
    setup = training_setup.prepare(corpus)
    setup.fit(setup.dataset(store, "train"), setup.dataset(store, "dev"))


if __name__ == "__main__":
    runtime.configure()
    with redirect_stderr(StringIO()):  # progress bars
        result = measure(int(sys.argv[1]), quick="--quick" in sys.argv)
    print(json.dumps(result))
