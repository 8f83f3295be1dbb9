"""Feature extraction against another implementation of the same feature."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks import equality, recordings, timing
from benchmarks.measurement import Measurement
from benchmarks.training_setup import AUDIO
from ser import runtime
from ser.data import audio

Frames = NDArray[np.float32]
Extract = Callable[[Frames], Frames]

#: Allowed difference of values, in units of the largest.
_RELATIVE = 2e-4


def compare(
    what: str, ours: Extract, librosa_s: Extract, *, alternative: str, quick: bool
) -> list[Measurement]:
    """Extract with one thread, and with one utterance per processor at a time.

    Args:
        what: The feature, as rows name it.
        ours: Waveform `(num_samples,)` -> frames.
        librosa_s: The same with librosa.
        alternative: How rows name it.
        quick: A few recordings instead of eighty.

    Raises:
        DifferentResultError: The values differ by more than 2e-4 of the largest.
    """
    corpus = recordings.load(quick=quick)
    chosen = corpus.utterances[:: max(1, len(corpus.utterances) // (10 if quick else 80))]
    rate = AUDIO.sampling_rate
    waveforms = [audio.read(corpus.root / u.audio, sampling_rate=rate) for u in chosen]
    seconds = sum(len(waveform) for waveform in waveforms) / rate
    equality.require_close(
        ((ours(waveform), librosa_s(waveform)) for waveform in waveforms),
        what=what,
        relative=_RELATIVE,
    )
    measurements = []
    for threads in sorted({1, runtime.num_processors()}):
        # A thread per utterance, as the pipeline's extraction does; torch itself keeps to one.
        with timing.torch_threads(1), ThreadPoolExecutor(threads) as pool:
            taken = timing.alternate(
                partial(_all, pool, ours, waveforms),
                partial(_all, pool, librosa_s, waveforms),
                repeats=2 if quick else 7,
            )
        measurements.append(
            Measurement(
                name=f"{what} extraction ({corpus.name})",
                value=seconds / taken[0],
                unit="seconds of audio per second",
                better="higher",
                alternative=alternative,
                alternative_value=seconds / taken[1],
                threads=threads,
            )
        )
    return measurements


def _all(pool: ThreadPoolExecutor, extract: Extract, waveforms: list[Frames]) -> None:
    list(pool.map(extract, waveforms))
