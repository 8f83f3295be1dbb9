"""The emotions that corpora are mapped to, their order, and the range of the dimensions."""

from collections.abc import Iterable

#: The study's four classes. Class indices, probability columns and confusion
#: matrices follow this order everywhere.
EMOTIONS: tuple[str, ...] = ("angry", "happy", "neutral", "sad")

#: Every canonical emotion a corpus may be mapped to: the study's four, then the rest.
VOCABULARY: tuple[str, ...] = (
    *EMOTIONS,
    "bored",
    "calm",
    "disgusted",
    "fearful",
    "frustrated",
    "surprised",
)

#: What people rate beside the emotion, in the order of every array of ratings.
DIMENSIONS: tuple[str, ...] = ("valence", "arousal", "dominance")

#: They are means of ratings on this closed interval.
DIMENSION_RANGE: tuple[float, float] = (1.0, 5.0)


def in_order(emotions: Iterable[str]) -> tuple[str, ...]:
    """Return distinct canonical emotions in the order of `VOCABULARY`.

    Args:
        emotions: Canonical names, any order, repeats allowed.

    Returns:
        The distinct names, ordered.

    Raises:
        ValueError: A name is not in `VOCABULARY`.

    Example:
        >>> in_order(["sad", "angry", "sad"])
        ('angry', 'sad')
    """
    wanted = set(emotions)
    unknown = sorted(wanted - set(VOCABULARY))
    if unknown:
        raise ValueError(
            f"unknown emotions {unknown}; the canonical ones are {', '.join(VOCABULARY)}"
        )
    return tuple(emotion for emotion in VOCABULARY if emotion in wanted)
