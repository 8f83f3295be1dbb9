"""Which speech of a corpus is studied: what was improvised, what was read from a script, or all."""

from collections.abc import Sequence
from typing import Literal

from ser.errors import CorpusError
from ser.utterance import Annotation
from ser.wording import first_few

SpeechKind = Literal["all", "improvised", "scripted"]


def studied_emotion(
    annotation: Annotation, *, emotions: Sequence[str], speech: SpeechKind
) -> str | None:
    """Return the emotion of an utterance that is studied, or None for another one.

    Args:
        annotation: What the corpus says.
        emotions: The classes.
        speech: What is studied.
    """
    if annotation.emotion not in emotions:
        return None
    is_other = speech != "all" and annotation.scripted is not (speech == "scripted")
    return None if is_other else annotation.emotion


def require_known(annotations: Sequence[Annotation], speech: SpeechKind, *, corpus: str) -> None:
    """Refuse to choose by what a corpus does not know.

    Args:
        annotations: All that the corpus has.
        speech: What is asked for.
        corpus: Its name, for the message.

    Raises:
        CorpusError: It does not say of an utterance whether it was scripted, or all are of one
            kind.
    """
    if speech == "all":
        return
    cure = "write corpus.speech: all"
    if unknown := [a.id for a in annotations if a.scripted is None]:
        raise CorpusError(
            f"corpus {corpus}: corpus.speech: {speech} needs to know what was scripted, and the "
            f"corpus does not say it of {len(unknown)} of {len(annotations)} utterances: "
            f"{first_few(unknown)}; {cure}"
        )
    kinds = {a.scripted for a in annotations}
    if len(kinds) == 1:
        said = "scripted" if kinds.pop() else "improvised"
        raise CorpusError(
            f"corpus {corpus}: all of it is {said}, so corpus.speech: {speech} chooses nothing; "
            f"{cure}"
        )
