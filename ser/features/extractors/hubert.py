"""Frozen layers of HuBERT as a feature; the model of the same name trains the rest.

Source:
    Hsu et al. (2021), "HuBERT: self-supervised speech representation learning by masked
    prediction of hidden units".
"""

from typing import ClassVar

from ser.contracts import Extractor
from ser.features.extractors import _ssl


class Params(_ssl.Params):
    """Which checkpoint, and how much of it is frozen; see `_ssl.Params`."""

    published: ClassVar[tuple[str, str] | None] = (
        "facebook/hubert-base-ls960",
        "dba3bb02fda4248b6e082697eee756de8fe8aa8a",
    )


def build(params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor for waveforms of a sampling rate in Hz."""
    return _ssl.build("hubert", params, sampling_rate=sampling_rate)
