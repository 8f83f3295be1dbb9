"""MFCC extraction against a librosa loop with the same settings, waveforms in memory."""

import librosa
import numpy as np

from benchmarks import extraction
from benchmarks.extraction import Frames
from benchmarks.measurement import Measurement
from benchmarks.training_setup import AUDIO, FEATURE
from ser.features.extractors import mfcc


def run(quick: bool) -> list[Measurement]:
    """Compare with one thread and with all."""
    return extraction.compare(
        "MFCC",
        mfcc.build(FEATURE, sampling_rate=AUDIO.sampling_rate),
        with_librosa,
        alternative="loop over librosa, same settings and values",
        quick=quick,
    )


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
