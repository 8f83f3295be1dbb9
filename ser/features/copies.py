"""Copies of the utterances: each recording once more, after one named change of its waveform.

A frozen prefix is computed once per corpus, so training cannot change the audio in every
step. It draws from copies that were extracted beforehand instead.

A copy's name says what is changed: the kind of the change, `_`, and its value, as
`speed_0.9`. A further kind is one more function in `ser.features.changes`.
"""

import numpy as np

from ser import seeding
from ser.features.changes import channel, level, noise, pace, room  # noqa: F401 (they register)
from ser.features.changes._base import KINDS, Change, Samples
from ser.features.store import CLEAN
from ser.utterance import Utterance


def change_of(copy: str) -> Change:
    """Return the change that a copy's name says; `clean` changes nothing.

    Args:
        copy: E.g. `speed_0.9`.

    Raises:
        ValueError: There is no such kind of change, or it must not have this value.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> len(change_of("speed_0.5")(np.zeros(100, np.float32), 16000, rng))
        200
    """
    if copy == CLEAN:
        return _unchanged
    kind, _, value = copy.partition("_")
    if kind not in KINDS or copy.endswith("_"):
        forms = "; ".join([CLEAN, *(KINDS[known].form for known in sorted(KINDS))])
        raise ValueError(f"no copy is named {copy!r}; there are: {forms}")
    try:
        return KINDS[kind].parse(value)
    except ValueError as error:
        raise ValueError(f"the copy {copy!r}: {error}") from None


def rng_of(utterance: Utterance, copy: str) -> np.random.Generator:
    """Return the random numbers of one copy of an utterance, the same in any order of work."""
    return np.random.default_rng(seeding.derive(utterance.corpus, utterance.id, copy))


def _unchanged(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    return waveform
