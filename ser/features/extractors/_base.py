"""What every feature extractor promises."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Extractor(Protocol):
    """Turns one waveform into frames; it sees one utterance at a time.

    Attributes:
        num_bins: Width of a frame.
        is_thread_safe: Several threads may call it at once.
        dtype: Of the frames on disk: `float32`, or `float16` for half the space.
        provenance: JSON-ready facts beyond the params that decide the result, e.g. the
            checkpoint's revision; they become part of the store's identity. A pretrained
            extractor gives `checkpoint`, `revision` and `weights_sha256`.
    """

    num_bins: int
    is_thread_safe: bool
    dtype: str
    provenance: dict[str, Any]

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the frames of a waveform.

        Args:
            waveform: Mono samples `(num_samples,)` at the extractor's sampling rate.

        Returns:
            Frames `(num_frames, num_bins)`, at least one.
        """
