"""The emotions that corpora are mapped to, their order, and the range of the dimensions."""

import re
from collections.abc import Iterable

#: The study's four classes. Class indices, probability columns and confusion
#: matrices follow this order everywhere.
EMOTIONS: tuple[str, ...] = ("angry", "happy", "neutral", "sad")

#: Every canonical emotion: the study's four, then the rest. A corpus from a table may
#: declare further classes of its own.
VOCABULARY: tuple[str, ...] = (
    *EMOTIONS,
    "bored",
    "calm",
    "disgusted",
    "excited",
    "fearful",
    "frustrated",
    "surprised",
)

#: What people rate beside the emotion, in the order of every array of ratings.
DIMENSIONS: tuple[str, ...] = ("valence", "arousal", "dominance")

#: They are means of ratings on this closed interval.
DIMENSION_RANGE: tuple[float, float] = (1.0, 5.0)

MAX_NAME = 30
#: What the name of a class may be, for messages.
NAME_RULE = (
    f"a word of at most {MAX_NAME} small letters a-z, digits, `_` and `-`, a letter first and a "
    "letter or digit last, and not nan, none or null"
)
_NAME = re.compile(r"[a-z]([a-z0-9_-]*[a-z0-9])?")
#: Readers of tables take these words for a value that is missing.
_MISSING = frozenset({"nan", "none", "null"})


def is_name(text: object) -> bool:
    """Return whether a class may be called so: it names metrics, columns and models.

    Example:
        >>> is_name("contempt"), is_name("very sad"), is_name("Angry"), is_name("null")
        (True, False, False, False)
    """
    is_word = isinstance(text, str) and _NAME.fullmatch(text) is not None
    return is_word and len(str(text)) <= MAX_NAME and text not in _MISSING


def in_order(emotions: Iterable[str]) -> tuple[str, ...]:
    """Return distinct emotions: the study's four in their order, then the others as they come.

    Args:
        emotions: Names, any order, repeats allowed.

    Returns:
        The distinct names, ordered.

    Example:
        >>> in_order(["sad", "contempt", "angry", "bored", "sad"])
        ('angry', 'sad', 'contempt', 'bored')
    """
    declared = tuple(dict.fromkeys(emotions))
    first = tuple(emotion for emotion in EMOTIONS if emotion in declared)
    return (*first, *(emotion for emotion in declared if emotion not in EMOTIONS))
