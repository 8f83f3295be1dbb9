"""MFCC extraction against a librosa loop with the same settings, waveforms in memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import librosa
import numpy as np
from numpy.typing import NDArray

from benchmarks import equality, recordings, timing
from benchmarks.measurement import Measurement
from benchmarks.training_setup import AUDIO, FEATURE
from ser.data import audio
from ser.features.extractors import mfcc

Frames = NDArray[np.float32]

_RELATIVE = 2e-4


def run(quick: bool) -> list[Measurement]:
    """Extract with one thread, and with one utterance per processor at a time."""
    corpus = recordings.load(quick=quick)
    chosen = corpus.utterances[:: max(1, len(corpus.utterances) // (10 if quick else 80))]
    rate = AUDIO.sampling_rate
    waveforms = [audio.read(corpus.root / u.audio, sampling_rate=rate) for u in chosen]
    seconds = sum(len(waveform) for waveform in waveforms) / rate
    extractor = mfcc.build(FEATURE, sampling_rate=rate)
    equality.require_close(
        ((extractor(waveform), with_librosa(waveform)) for waveform in waveforms),
        what="MFCCs",
        relative=_RELATIVE,
    )
    measurements = []
    for threads in sorted({1, timing.num_processors()}):
        # A thread per utterance, as the pipeline's extraction does; torch itself keeps to one.
        with timing.torch_threads(1), ThreadPoolExecutor(threads) as pool:
            ours, alternative = timing.alternate(
                partial(_all, pool, extractor, waveforms),
                partial(_all, pool, with_librosa, waveforms),
                repeats=2 if quick else 7,
            )
        measurements.append(
            Measurement(
                name=f"MFCC extraction ({corpus.name})",
                value=seconds / ours,
                unit="seconds of audio per second",
                better="higher",
                alternative="loop over librosa, same settings and values",
                alternative_value=seconds / alternative,
                threads=threads,
            )
        )
    return measurements


def _all(
    pool: ThreadPoolExecutor, extract: Callable[[Frames], Frames], waveforms: list[Frames]
) -> None:
    list(pool.map(extract, waveforms))


def with_librosa(waveform: Frames) -> Frames:
    """Return cepstra, deltas and delta-deltas `(num_frames, num_bins)` as librosa has them."""
    rate = AUDIO.sampling_rate
    window = round(FEATURE.window_ms * rate / 1000)
    mel = librosa.feature.melspectrogram(
        y=waveform,
        sr=rate,
        n_fft=2 ** (window - 1).bit_length(),
        win_length=window,
        hop_length=round(FEATURE.hop_ms * rate / 1000),
        n_mels=FEATURE.num_mels,
        fmin=FEATURE.min_hz,
        fmax=FEATURE.max_hz or rate / 2,
        pad_mode="constant",
    )
    decibels = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=FEATURE.top_db)
    blocks = [librosa.feature.mfcc(S=decibels, n_mfcc=FEATURE.num_coefficients)]
    for _ in range(FEATURE.num_deltas):
        width = FEATURE.delta_window
        blocks.append(librosa.feature.delta(blocks[-1], width=width, mode="nearest"))
    return np.concatenate(blocks).T
