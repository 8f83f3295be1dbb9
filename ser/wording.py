"""The words of error messages: values cut short, and the name that was probably meant."""

import difflib
import re
import reprlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

#: Longest text of a value in a message, in characters.
MAX_SHOWN = 80

_ADDRESS = re.compile(" at 0x[0-9a-f]+")
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/\s]*@")


def shown(value: object) -> str:
    """Return a value for a message: its `repr` in one line, the middle left out where it is long.

    Nothing long is spelt out on the way, whoever sent it, and nothing shows an address in memory.

    Example:
        >>> shown("ab")
        "'ab'"
        >>> len(shown("a" * 10_000)) <= MAX_SHOWN
        True
    """
    return cut(_BRIEF.repr(value), MAX_SHOWN)


def without_password(text: str) -> str:
    """Return a text whose addresses name users without their passwords.

    Example:
        >>> without_password("mysql+pymysql://ser:secret@host/studies")
        'mysql+pymysql://ser:***@host/studies'
    """
    return _PASSWORD.sub(r"\1:***@", text)


def cut(text: str, limit: int) -> str:
    """Return a text of at most so many characters; what is left out shows as dots.

    Example:
        >>> cut("one two three", 9)
        'one tw...'
    """
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def first_few(names: Sequence[str], limit: int = 5) -> str:
    """Return the first of many names, and how many more there are.

    Example:
        >>> first_few(["a", "b", "c"], 2)
        "'a', 'b' and 1 more"
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(shown(name) for name in names[:limit]) + more


def meant(name: object, known: Iterable[str]) -> str:
    """Return the end of a message that names the known name most like a wrong one.

    Returns:
        `; did you mean 'focal'?`, or nothing where none is like it.

    Example:
        >>> meant("fcal", ["focal", "aam"])
        "; did you mean 'focal'?"
        >>> meant("x", ["focal", "aam"])
        ''
    """
    # Longer names are no slips of the fingers, and to compare them takes time.
    if not isinstance(name, str) or len(name) > MAX_SHOWN:
        return ""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


class _Brief(reprlib.Repr):
    """`reprlib` with room for a line, and for what is never spelt out; it calls these by type."""

    def repr_int(self, x: int, level: int) -> str:
        """Return a whole number; Python spells none of more than 4300 digits."""
        del level
        return repr(x) if x.bit_length() <= 128 else f"a whole number of {x.bit_length()} bits"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Return the first entries; all of them would be sorted."""
        return super().repr_dict(dict(islice(x.items(), self.maxdict + 1)), level)

    def repr_bytes(self, x: bytes, level: int) -> str:
        """Return bytes, the end left out where they are long."""
        del level
        return repr(x[:MAX_SHOWN])

    def repr_ndarray(self, x: Any, level: int) -> str:
        """Return what an array is: the numbers in it take several lines."""
        del level
        return f"an array {x.shape} of {x.dtype}"

    def repr_instance(self, x: object, level: int) -> str:
        """Return any other value, or its type where it says nothing but where it lies."""
        text = " ".join(super().repr_instance(x, level).split())
        return type(x).__name__ if _ADDRESS.search(text) else text


_BRIEF = _Brief()
_BRIEF.maxstring = _BRIEF.maxother = MAX_SHOWN
_BRIEF.maxdict = _BRIEF.maxlist = _BRIEF.maxtuple = 4
_BRIEF.maxlevel = 2
