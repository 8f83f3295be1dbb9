"""What all changes of the waveform share: their signature, and how a copy's name says one."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser.features.store import CLEAN

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


KINDS: dict[str, Kind] = {}
"""All kinds by their name; filled by `registered`."""


def registered(kind: str, *, form: str) -> Callable[[Parser], Parser]:
    """Make a parser that of the copies named `<kind>_<value>`, or `<kind>` without a value.

    Args:
        kind: Lower-case letters, and digits.
        form: How its copies are named, with an example, for messages.
    """

    def register(parse: Parser) -> Parser:
        KINDS[kind] = Kind(form, parse)
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


def power(waveform: Samples) -> float:
    """Return the mean square over all samples, pauses included."""
    return float(np.mean(np.square(waveform, dtype=np.float64)))


def at_power(waveform: NDArray[np.floating], wanted: float) -> Samples:
    """Return a waveform scaled to a power; digital silence stays what it is."""
    own = float(np.mean(np.square(waveform, dtype=np.float64)))
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
