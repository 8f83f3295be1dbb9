"""AudioSet's VGGish front end: log-mel frames, and the patches of 0.96 s cut from them.

Common log-mel settings differ from these in four places that matter to published
weights: frames are not centred, the spectrum is a magnitude (not a power), the mel
triangles are linear in mel (not in Hz), and the logarithm is that of mel + 0.01.

Source:
    Hershey et al. (2017), "CNN architectures for large-scale audio classification",
    arXiv:1609.09430; the variant is that of `mel_features.py` and `vggish_params.py` in
    TensorFlow's models/research/audioset/vggish.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ser.errors import ParamsError

SAMPLING_RATE = 16000
NUM_BINS = 64
PATCH_FRAMES = 96

_WINDOW, _HOP, _FFT = 400, 160, 512  # samples: 25 ms, 10 ms
_MARGIN = (_FFT - _WINDOW) // 2
_MIN_HZ, _MAX_HZ = 125.0, 7500.0
_LOG_OFFSET = 0.01
#: Shortest waveform that fills a patch: 0.975 s.
_MIN_SAMPLES = _WINDOW + (PATCH_FRAMES - 1) * _HOP


class LogMel:
    """Waveform -> log-mel frames; safe to call from several threads.

    Args:
        sampling_rate: Of the waveforms, in Hz.

    Raises:
        ParamsError: The sampling rate is not 16 kHz.
    """

    def __init__(self, sampling_rate: int) -> None:
        if sampling_rate != SAMPLING_RATE:
            raise ParamsError(
                f"audio.sampling_rate: the features logmel and vggish are defined at "
                f"{SAMPLING_RATE} Hz only, got {sampling_rate}; set it to {SAMPLING_RATE} or "
                f"extract other features"
            )
        self._window = torch.hann_window(_WINDOW, periodic=True)
        self._filters = torch.from_numpy(mel_filters().astype(np.float32))

    @torch.inference_mode()
    def __call__(self, waveform: NDArray[np.float32]) -> Tensor:
        """Return the frames of a waveform.

        Args:
            waveform: Mono samples `(num_samples,)` in [-1, 1]; less than 0.975 s is padded
                with silence at its end, so that there is a patch.

        Returns:
            Frames `(num_frames, 64)`, at least 96, each at least log 0.01.
        """
        samples = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
        samples = F.pad(samples, (0, max(0, _MIN_SAMPLES - len(samples))))
        # torch.stft sets a short window into the middle of the transform. With that much
        # silence on both sides of the waveform, window k begins at sample 160 k; where in
        # the transform it lies does not change a magnitude.
        spectrum = torch.stft(
            F.pad(samples, (_MARGIN, _MARGIN)),
            _FFT,
            _HOP,
            _WINDOW,
            self._window,
            center=False,
            return_complex=True,
        )
        magnitude = spectrum.abs().T  # (num_frames, 257)
        return torch.log(magnitude @ self._filters + _LOG_OFFSET)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return frequencies on HTK's mel scale."""
    mel: NDArray[np.float64] = 1127.0 * np.log1p(hz / 700.0)
    return mel


def mel_filters() -> NDArray[np.float64]:
    """Return the triangles `(num_frequencies, num_bins)`, each with a peak of 1."""
    frequencies = _mel(np.linspace(0.0, SAMPLING_RATE / 2, _FFT // 2 + 1))[:, np.newaxis]
    low, high = _mel(np.array([_MIN_HZ, _MAX_HZ]))
    edges = np.linspace(low, high, NUM_BINS + 2)
    rise = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    triangles: NDArray[np.float64] = np.maximum(0.0, np.minimum(rise, fall))
    return triangles


def patch_starts(num_frames: int, patch_hop: int) -> list[int]:
    """Return where the patches of an utterance begin.

    AudioSet drops what does not fill a last patch; here one more patch ends with the last
    frame, so that every frame is heard.

    Args:
        num_frames: Of the utterance, at least 1.
        patch_hop: Frames from one patch to the next, in [1, 96].

    Returns:
        First frames, rising from 0; an utterance shorter than a patch has one.

    Example:
        >>> patch_starts(96 + 100, patch_hop=96)
        [0, 96, 100]
    """
    last = max(0, num_frames - PATCH_FRAMES)
    starts = list(range(0, last + 1, patch_hop))
    return starts if starts[-1] == last else [*starts, last]


def cut_patches(frames: Tensor, starts: Sequence[int]) -> Tensor:
    """Return patches of one utterance.

    Args:
        frames: `(num_frames, num_bins)`; fewer than a patch are filled up with zeros.
        starts: First frame of each patch, see `patch_starts`.

    Returns:
        `(num_patches, 96, num_bins)`.
    """
    filled = F.pad(frames, (0, 0, 0, max(0, PATCH_FRAMES - len(frames))))
    return torch.stack([filled[start : start + PATCH_FRAMES] for start in starts])
