"""Whether a corpus has what it takes to tell its classes apart: utterances of each."""

from collections import Counter
from collections.abc import Sequence

from ser.emotion import DIMENSIONS
from ser.errors import CorpusError
from ser.utterance import Annotation
from ser.wording import shown

_NUM_NAMED = 20


def require_each(
    emotions: Sequence[str], annotations: Sequence[Annotation], *, corpus: str
) -> None:
    """Refuse classes that nobody speaks: nothing could be learnt of them, and nothing tested.

    A corpus of no classes is asked for ratings instead.

    Args:
        emotions: The classes, `corpus.emotions`; may be empty.
        annotations: What the corpus has, or what of it can be used.
        corpus: Its name, for the message.

    Raises:
        CorpusError: Names the classes, what is there instead, and the cure.
    """
    if not emotions and not any(item.is_rated for item in annotations):
        raise CorpusError(
            f"corpus {corpus}: corpus.emotions is empty, so ratings of {', '.join(DIMENSIONS)} are "
            f"to be learnt, and no usable utterance has one; name the classes in corpus.emotions, "
            f"or use a corpus with ratings"
        )
    counts = Counter(item.emotion for item in annotations)
    missing = [emotion for emotion in emotions if not counts[emotion]]
    if not missing:
        return
    there = [f"{name} {counts[name]}" for name in emotions if counts[name]]
    others = Counter(item.label for item in annotations if item.emotion not in emotions)
    labels = [f"{shown(label)} {count}" for label, count in others.most_common(_NUM_NAMED)]
    raise CorpusError(
        f"corpus {corpus}: no usable utterance of {', '.join(missing)}, which corpus.emotions "
        f"asks for; there are: {', '.join(there) or 'none of these emotions'}"
        f"{'; other labels: ' + ', '.join(labels) if labels else ''}. Leave out of "
        f"corpus.emotions what the corpus does not have, or add recordings"
    )
