"""Frozen layers of data2vec audio as a feature; the model of the same name trains the rest.

Source:
    Baevski et al. (2022), "data2vec: a general framework for self-supervised learning in
    speech, vision and language".
"""

from ser.contracts import Extractor
from ser.features.extractors import _ssl


class Params(_ssl.Params):
    """Which checkpoint, and how much of it is frozen; see `_ssl.Params`.

    The checkpoint must be named, e.g. facebook/data2vec-audio-base with the revision that
    its page shows under "Files and versions".
    """


def build(params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor for waveforms of a sampling rate in Hz."""
    return _ssl.build("data2vec_audio", params, sampling_rate=sampling_rate)
