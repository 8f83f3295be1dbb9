"""Copies of the utterances: each recording once more, after one named change of its waveform.

A frozen prefix is computed once per corpus, so training cannot change the audio in every
step. It draws from copies that were extracted beforehand instead.

A copy's name says what is changed: the kind of the change, `_`, and its value, as
`speed_0.9`. A further kind is one more function here, under `registered`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ser import seeding
from ser.data import hearing
from ser.features.store import CLEAN
from ser.utterance import Utterance

Samples = NDArray[np.float32]
"""A mono waveform `(num_samples,)`."""

Change = Callable[[Samples, int, np.random.Generator], Samples]
"""Mono waveform `(num_samples,)`, its sampling rate in Hz, random numbers -> another waveform
at the same rate, of any length from one sample on. What is random comes from the generator."""


Parser = Callable[[str], Change]
"""What follows `<kind>_` in a copy's name -> the change; raises ValueError with the rule that
the value breaks. A value has one spelling, so that no copy has two names."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change, one copy for each of its values.

    Args:
        form: How its copies are named, for messages.
        parse: Value to change.
    """

    form: str
    parse: Parser


_KINDS: dict[str, Kind] = {}


def registered(kind: str, *, form: str) -> Callable[[Parser], Parser]:
    """Make a parser that of the copies named `<kind>_<value>`.

    Args:
        kind: Lower-case letters.
        form: How its copies are named, with an example, for messages.
    """

    def register(parse: Parser) -> Parser:
        _KINDS[kind] = Kind(form, parse)
        return parse

    return register


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
    if kind not in _KINDS:
        forms = "; ".join([CLEAN, *(known.form for known in _KINDS.values())])
        raise ValueError(f"no copy is named {copy!r}; there are: {forms}")
    try:
        return _KINDS[kind].parse(value)
    except ValueError as error:
        raise ValueError(f"the copy {copy!r}: {error}") from None


def rng_of(utterance: Utterance, copy: str) -> np.random.Generator:
    """Return the random numbers of one copy of an utterance, the same in any order of work."""
    return np.random.default_rng(seeding.derive(utterance.corpus, utterance.id, copy))


def _unchanged(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    return waveform


@registered("speed", form="speed_<factor> with a factor in [0.5, 2.0], as speed_0.9")
def _speed(value: str) -> Change:
    """Return speech so many times as fast, and as high: played at another rate.

    Source:
        Ko, Peddinti, Povey, Khudanpur (2015), "Audio augmentation for speech recognition",
        section 2.1.
    """
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        raise ValueError(f"expected a factor such as 0.9 or 1.1, got {value!r}")
    factor = Fraction(value)
    if not Fraction(1, 2) <= factor <= 2:
        raise ValueError(f"the factor must be in [0.5, 2.0], got {value}")
    if factor == 1:
        raise ValueError(f"a factor of 1 changes nothing; {CLEAN} is that copy")
    if value != str(float(factor)):
        raise ValueError(f"write the factor as {float(factor)}, which is its one spelling here")

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        # To the resampler only the ratio of the two rates counts; as whole numbers it is exact.
        return hearing.at_rate(waveform, factor.numerator, wanted=factor.denominator)

    return change
