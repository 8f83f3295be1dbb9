"""Log-mel extraction against a librosa loop with the same settings, waveforms in memory."""

import librosa
import numpy as np

from benchmarks import extraction
from benchmarks.extraction import Frames
from benchmarks.measurement import Measurement
from benchmarks.training_setup import AUDIO
from ser.features.extractors import logmel
from ser.pretrained import vggish_frontend

_WINDOW, _HOP, _FFT = 400, 160, 512
_FILTERS = vggish_frontend.mel_filters().astype(np.float32)


def run(quick: bool) -> list[Measurement]:
    """Compare with one thread and with all."""
    return extraction.compare(
        "log-mel",
        logmel.build(logmel.Params(), sampling_rate=AUDIO.sampling_rate),
        with_librosa,
        alternative="loop over librosa's STFT, same settings, mel filters and values",
        quick=quick,
    )


def with_librosa(waveform: Frames) -> Frames:
    """Return VGGish's frames `(num_frames, 64)`.

    librosa's own mel triangles are linear in Hz, VGGish's in mel: ours are given to both.
    """
    shortest = _WINDOW + (vggish_frontend.PATCH_FRAMES - 1) * _HOP
    margin = (_FFT - _WINDOW) // 2
    filled = np.pad(waveform, (margin, margin + max(0, shortest - len(waveform))))
    spectrum = librosa.stft(filled, n_fft=_FFT, win_length=_WINDOW, hop_length=_HOP, center=False)
    frames: Frames = np.log(np.abs(spectrum).T @ _FILTERS + 0.01)
    return frames
