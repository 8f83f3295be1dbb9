"""What of a corpus a fold leaves out, and why; what no fold tests."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ser.data import sentences
from ser.data.protocols import Part
from ser.data.splits import Fold
from ser.utterance import Annotation


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
    speakers, said, sessions = (
        {part: set(values(parts[part])) for part in ("test", "dev")}
        for values in (_speakers, sentences.of, _sessions)
    )

    def reason(utterance: Annotation) -> str:
        if utterance.parts is not None or utterance.fold is not None:
            return "no part"  # as its corpus says
        own = sentences.of([utterance])
        for what, is_in in (
            ("speaker", lambda part: utterance.speaker in speakers[part]),
            ("sentence", lambda part: bool(own & said[part])),
            ("session", lambda part: utterance.session in sessions[part]),
        ):
            for part in ("test", "dev"):
                if is_in(part):
                    return f"{what} of {part}"
        return "no part"

    return dict(sorted(Counter(reason(u) for u in used if u.id not in dealt).items()))


def untested(used: Sequence[Annotation], folds: Sequence[Fold]) -> tuple[str, ...]:
    """Return the ids of the utterances that no fold tests, sorted."""
    tested = {id_ for fold in folds for id_ in fold.test}
    return tuple(sorted(u.id for u in used if u.id not in tested))


def _speakers(members: Sequence[Annotation]) -> set[str]:
    return {u.speaker for u in members}


def _sessions(members: Sequence[Annotation]) -> set[str]:
    return {u.session for u in members}
