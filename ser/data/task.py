"""The task of a corpus: which recordings, told apart into which classes; its name in the tracker.

Experiments and registered models carry this name, so that two corpora, or two sets of classes of
one corpus, never share either. Why it is made so: docs/decisions/0028-names-of-tasks.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ser.emotion import EMOTIONS

TAG = "ser.task"
"""The tag that says it, on runs and on versions of a model."""


def named(
    corpus: str, emotions: Sequence[str], title: str | None = None, speech: str = "all"
) -> str:
    """Return `<corpus>[-<title>][-<speech>][-<number of classes>-<classes>]`.

    The classes are left out where they are the study's four. Where these four are among others,
    the others alone are listed; else all are. No two sets of classes get the same name: as many
    words as the number says are the whole set, fewer are what comes to the four. Of no classes,
    ratings are the task. A `-` within a
    class is doubled, to be none between two.

    Args:
        corpus: The parser's name.
        emotions: The classes, in order; none where ratings are learnt.
        title: The recordings' own name, where one parser reads many corpora.
        speech: `improvised` or `scripted` where that alone is studied. No title is one of these.

    Example:
        >>> named("emodb", ("angry", "happy", "neutral", "sad"))
        'emodb'
        >>> named("emodb", ("angry", "happy", "neutral", "sad", "bored"))
        'emodb-5-bored'
        >>> named("csv", ("angry", "sad"), "helpline")
        'csv-helpline-2-angry-sad'
        >>> named("iemocap", ())
        'iemocap-0-ratings'
        >>> named("iemocap", ("angry", "happy", "neutral", "sad"), speech="improvised")
        'iemocap-improvised'
    """
    kind = [] if speech == "all" else [speech]
    return "-".join([corpus, *([title] if title else []), *kind, *_classes(emotions)])


def of_section(corpus: Mapping[str, Any]) -> str:
    """Return the task of a section `corpus` of params.yaml.

    Args:
        corpus: Its `name`, `emotions` and, where the parser has them, `title`,
            `speech` and `merge_excited`.

    Example:
        >>> of_section({"name": "iemocap", "emotions": EMOTIONS, "merge_excited": False})
        'iemocap-without_excited'
    """
    title = corpus.get("title")
    if corpus.get("merge_excited") is False and "excited" not in corpus["emotions"]:
        # Happy is another class than usual, under the same word.
        title = "without_excited"
    return named(corpus["name"], corpus["emotions"], title, corpus.get("speech", "all"))


def _classes(emotions: Sequence[str]) -> list[str]:
    if tuple(emotions) == EMOTIONS:
        return []
    if not emotions:
        return ["0", "ratings"]
    is_wider = set(EMOTIONS) <= set(emotions)
    listed = [emotion for emotion in emotions if not (is_wider and emotion in EMOTIONS)]
    return [str(len(emotions)), *(emotion.replace("-", "--") for emotion in listed)]
