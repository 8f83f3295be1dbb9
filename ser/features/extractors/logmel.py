"""Log-mel frames exactly as AudioSet's VGGish hears them; see `ser.pretrained.vggish_frontend`."""

import numpy as np
from numpy.typing import NDArray

from ser.contracts import Extractor
from ser.features.extractors._base import ExtractorParams
from ser.pretrained.vggish_frontend import NUM_BINS, LogMel


class Params(ExtractorParams):
    """None of its own: other numbers would make it another feature."""


class LogMelExtractor:
    """Waveform -> log-mel frames, 100 a second; models cut their patches from them.

    Args:
        front_end: Computes the frames.
    """

    num_bins = NUM_BINS
    is_thread_safe = True
    dtype = "float32"

    def __init__(self, front_end: LogMel) -> None:
        self.provenance: dict[str, str | None] = {}
        self._front_end = front_end

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return frames `(num_frames, 64)`, at least 96."""
        frames: NDArray[np.float32] = self._front_end(waveform).numpy()
        return frames


def build(params: Params, *, sampling_rate: int) -> Extractor:  # noqa: ARG001
    """Return the extractor; raise ParamsError unless the sampling rate is 16 kHz."""
    return LogMelExtractor(LogMel(sampling_rate))
