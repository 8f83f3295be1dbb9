"""What all changes of the waveform share: their signature, and how a copy's name says one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ser.features.store import CLEAN

Samples = NDArray[np.float32]
"""A mono waveform `(num_samples,)`."""

Change = Callable[[Samples, int, np.random.Generator], Samples]
"""Mono waveform `(num_samples,)`, its sampling rate in Hz, random numbers -> another waveform
at the same rate, of any length from one sample on. What is random comes from the generator."""

FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
"""How a folder of the user's sounds may be named: it becomes part of a path."""

Sound = Callable[[], Samples]
"""Reads something that can be heard, mono and at the rate of the utterance; never silence."""

Hears = Literal["voices", "noises", "impulses"]
"""What a change hears beside the utterance: the method of `Sounds` that it calls."""


class Sounds(Protocol):
    """What can be heard beside one utterance."""

    def voices(self) -> Sequence[Sound]:
        """Return the recordings that may be mixed into the utterance, one at least."""

    def noises(self) -> Sequence[Sound]:
        """Return the noises of the user, one at least."""

    def impulses(self, folder: str) -> Sequence[Sound]:
        """Return the impulse responses of a folder of the user, one at least."""


Parser = Callable[[str], Change]
"""What follows `<kind>_` in a copy's name -> the change; raises ValueError with the rule that
the value breaks. A value has one spelling, so that no copy has two names."""

HearingParser = Callable[[str, Sounds], Change]
"""The same for a change that hears other sounds; it asks for them when it changes something."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change, one copy for each of its values.

    Args:
        form: How its copies are named, for messages.
        parse: Value to change.
        module: Dotted name of the module that its parser is in.
        hears: What it hears beside the utterance, if anything.
    """

    form: str
    parse: HearingParser
    module: str
    hears: Hears | None = None


KINDS: dict[str, Kind] = {}
"""All kinds by their name; filled by `registered` and `hearing`."""


def registered(kind: str, *, form: str) -> Callable[[Parser], Parser]:
    """Make a parser that of the copies named `<kind>_<value>`, or `<kind>` without a value.

    Args:
        kind: Lower-case letters, and digits.
        form: How its copies are named, with an example, for messages.
    """

    def register(parse: Parser) -> Parser:
        KINDS[kind] = Kind(form, lambda value, _: parse(value), parse.__module__)
        return parse

    return register


def hearing(kind: str, hears: Hears, *, form: str) -> Callable[[HearingParser], HearingParser]:
    """Do the same as `registered` for changes that hear other sounds beside the utterance."""

    def register(parse: HearingParser) -> HearingParser:
        KINDS[kind] = Kind(form, parse, parse.__module__, hears)
        return parse

    return register


def number(value: str, unit: str, *, low: float, high: float, what: str) -> float:
    """Return the number in a copy's name, such as 20 in `20db`.

    Args:
        value: The number and its unit.
        unit: Its letters.
        low: Smallest number that is allowed.
        high: Largest.
        what: What it is, for messages, e.g. `the gain`.

    Raises:
        ValueError: No such number, out of range, or spelt in a second way.

    Example:
        >>> number("-6db", "db", low=-60, high=60, what="the gain")
        -6.0
    """
    found = re.fullmatch(rf"(-?\d+(?:\.\d+)?){unit}", value)
    if not found:
        raise ValueError(
            f"{what} must be a number and {unit}, such as {high:g}{unit}; got {value!r}"
        )
    asked = float(found[1])
    if not low <= asked <= high:
        raise ValueError(f"{what} must be in [{low:g}, {high:g}]{unit}, got {value}")
    spelling = f"{asked + 0.0:g}"  # adding zero makes -0 the 0 that it is
    if found[1] != spelling:
        raise ValueError(f"write {what} as {spelling}{unit}, which is its one spelling here")
    return asked


def no_value(value: str) -> None:
    """Refuse a value behind the name of a kind that has none.

    Raises:
        ValueError: There is one.
    """
    if value:
        raise ValueError(f"this change has no value, got {value!r}")


def power(waveform: NDArray[np.floating]) -> float:
    """Return the mean square over all samples, pauses included."""
    return float(np.mean(np.square(waveform, dtype=np.float64)))


def at_power(waveform: NDArray[np.floating], wanted: float) -> Samples:
    """Return a waveform scaled to a power; digital silence stays what it is."""
    own = power(waveform)
    scale = np.sqrt(wanted / own) if own > 0.0 else 0.0
    scaled: Samples = (waveform * scale).astype(np.float32)
    return scaled


def refuse_nothing(value: float, what: str) -> None:
    """Refuse the value at which a change would be none.

    Raises:
        ValueError: It is 0.
    """
    if value == 0.0:
        raise ValueError(f"{what} of 0 changes nothing; {CLEAN} is that copy")
