"""Frozen layers of wav2vec 2.0 as a feature; the model of the same name trains the rest.

Source:
    Baevski et al. (2020), "wav2vec 2.0: a framework for self-supervised learning of speech
    representations".
"""

from typing import ClassVar

from ser.contracts import Extractor
from ser.features.extractors import _ssl


class Params(_ssl.Params):
    """Which checkpoint, and how much of it is frozen; see `_ssl.Params`."""

    published: ClassVar[tuple[str, str] | None] = (
        "facebook/wav2vec2-base",
        "0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
    )


def build(params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor for waveforms of a sampling rate in Hz."""
    return _ssl.build("wav2vec2", params, sampling_rate=sampling_rate)
