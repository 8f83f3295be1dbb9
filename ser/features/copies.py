"""Copies of the utterances: each recording once more, after one named change of its waveform.

A frozen prefix is computed once per corpus, so training cannot change the audio in every
step. It draws from copies that were extracted beforehand instead.

A copy's name says what is changed: the kind of the change, `_`, and its value, as
`speed_0.9`. A further kind is one more function in `ser.features.changes`.
"""

from collections.abc import Sequence

import numpy as np

from ser import seeding
from ser.features.changes import channel, level, noise, pace, room  # noqa: F401 (they register)
from ser.features.changes._base import KINDS, Change, Hears, Kind, Samples, Sound, Sounds
from ser.features.store import CLEAN
from ser.utterance import Utterance


class NoSounds:
    """Where no other sounds are at hand: whoever asks for some is refused."""

    def voices(self) -> Sequence[Sound]:
        """Refuse; see `Sounds`.

        Raises:
            ValueError: Always.
        """
        raise ValueError("this change hears other recordings, and there are none here")

    def noises(self) -> Sequence[Sound]:
        """Refuse; see `Sounds`."""
        return self.voices()

    def impulses(self, folder: str) -> Sequence[Sound]:  # noqa: ARG002
        """Refuse; see `Sounds`."""
        return self.voices()


def change_of(copy: str, sounds: Sounds | None = None) -> Change:
    """Return the change that a copy's name says; `clean` changes nothing.

    Args:
        copy: E.g. `speed_0.9`.
        sounds: What can be heard beside the utterance that shall be changed. Without them,
            only a change that hears none can be applied.

    Raises:
        ValueError: There is no such kind of change, or it must not have this value.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> len(change_of("speed_0.5")(np.zeros(100, np.float32), 16000, rng))
        200
    """
    if copy == CLEAN:
        return _unchanged
    kind, value = _kind_of(copy)
    try:
        return kind.parse(value, sounds or NoSounds())
    except ValueError as error:
        raise ValueError(f"the copy {copy!r}: {error}") from None


def heard_in(copy: str) -> tuple[Hears | None, str]:
    """Return what a copy's change hears beside the utterance, and the value in its name.

    Raises:
        ValueError: There is no such kind of change.
    """
    if copy == CLEAN:
        return None, ""
    kind, value = _kind_of(copy)
    return kind.hears, value


def module_of(copy: str) -> str | None:
    """Return the dotted name of the module that changes a copy's waveform; None of `clean`."""
    return None if copy == CLEAN else _kind_of(copy)[0].module


def _kind_of(copy: str) -> tuple[Kind, str]:
    name, _, value = copy.partition("_")
    if name not in KINDS or copy.endswith("_"):
        forms = "; ".join([CLEAN, *(KINDS[known].form for known in sorted(KINDS))])
        raise ValueError(f"no copy is named {copy!r}; there are: {forms}")
    return KINDS[name], value


def rng_of(utterance: Utterance, copy: str) -> np.random.Generator:
    """Return the random numbers of one copy of an utterance, the same in any order of work."""
    return np.random.default_rng(seeding.derive(utterance.corpus, utterance.id, copy))


def _unchanged(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    return waveform
