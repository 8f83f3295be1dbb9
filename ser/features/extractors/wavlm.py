"""Frozen layers of WavLM as a feature; the model of the same name trains the rest.

Source:
    Chen et al. (2022), "WavLM: large-scale self-supervised pre-training for full stack
    speech processing".
"""

from typing import ClassVar

from ser.contracts import Extractor
from ser.features.extractors import _ssl


class Params(_ssl.Params):
    """Which checkpoint, and how much of it is frozen; see `_ssl.Params`."""

    published: ClassVar[tuple[str, str] | None] = (
        "microsoft/wavlm-base-plus",
        "4c66d4806a428f2e922ccfa1a962776e232d487b",
    )


def build(params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor for waveforms of a sampling rate in Hz."""
    return _ssl.build("wavlm", params, sampling_rate=sampling_rate)
