"""What of a corpus a fold leaves out, and why; what no fold tests."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ser.data import sentences
from ser.data.protocols import Part
from ser.data.splits import Fold
from ser.utterance import Annotation

_HEARD: tuple[Part, ...] = ("test", "dev")


def by_reason(
    used: Sequence[Annotation], parts: Mapping[Part, Sequence[Annotation]]
) -> dict[str, int]:
    """Return why utterances are in no part of a fold -> how many.

    Args:
        used: All that could be dealt: those with an emotion of the study.
        parts: The fold.

    Returns:
        The first reason of each, in this order: its speaker is one of test or dev, as in
        `speaker of test`; it says a sentence of theirs; it is of their session; `no part`.
    """
    dealt = {u.id for members in parts.values() for u in members}
    shared = [(part, _Marks.of(parts[part])) for part in _HEARD]

    def reason(utterance: Annotation) -> str:
        if utterance.parts is not None or utterance.fold is not None:
            return "no part"  # as its corpus says
        own = _Marks.of([utterance])
        for what in ("speakers", "sentences", "sessions"):
            for part, marks in shared:
                if getattr(own, what) & getattr(marks, what):
                    return f"{what[:-1]} of {part}"
        return "no part"

    return dict(sorted(Counter(reason(u) for u in used if u.id not in dealt).items()))


@dataclass(frozen=True, slots=True)
class _Marks:
    """What utterances can share: names of speakers and sessions, and sentences."""

    speakers: frozenset[str]
    sentences: frozenset[str]
    sessions: frozenset[str]

    @classmethod
    def of(cls, members: Sequence[Annotation]) -> "_Marks":
        return cls(
            frozenset(u.speaker for u in members),
            frozenset(sentences.of(members)),
            frozenset(u.session for u in members if u.session is not None),
        )


def untested(used: Sequence[Annotation], folds: Sequence[Fold]) -> tuple[str, ...]:
    """Return the ids of the utterances that no fold tests, sorted."""
    tested = {id_ for fold in folds for id_ in fold.test}
    return tuple(sorted(u.id for u in used if u.id not in tested))
