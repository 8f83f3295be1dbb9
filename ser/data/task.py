"""The task of a corpus: which recordings, told apart into which classes; its name in the tracker.

Experiments and registered models carry this name, so that two corpora, or two sets of classes of
one corpus, never share either. Why it is made so: docs/decisions/0028-names-of-tasks.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ser import cross_folders
from ser.data.card import CorpusCard
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
    words = _marks({"title": title, "speech": speech}, emotions)
    return "-".join([corpus, *words, *_classes(emotions)])


def of_section(corpus: Mapping[str, Any]) -> str:
    """Return the task of a section `corpus` of params.yaml.

    Args:
        corpus: Its `name`, `emotions` and, where the parser has them, `title`,
            `speech` and `merge_excited`. Of two corpora that are one, the params of the first,
            and under `tested_on` those of the second, see `ser.data.pair`.

    Example:
        >>> of_section({"name": "iemocap", "emotions": EMOTIONS, "merge_excited": False})
        'iemocap-without_excited'
        >>> other = {"name": "iemocap", "speech": "improvised"}
        >>> of_section({"name": "demo-to-iemocap", "emotions": EMOTIONS, "tested_on": other})
        'demo-to-iemocap-improvised'
    """
    emotions = corpus["emotions"]
    if "tested_on" not in corpus:
        words = [corpus["name"], *_marks(corpus, emotions)]
        return "-".join([*words, *_classes(emotions)])
    sides = zip(cross_folders.sides_of(corpus["name"]), (corpus, corpus["tested_on"]), strict=True)
    # The name of a side is its title already.
    each = [[name, *_marks({**said, "title": None}, emotions)] for name, said in sides]
    pair = cross_folders.pair_of(*("-".join(words) for words in each))
    return "-".join([pair, *_classes(emotions)])


def of_card(card: CorpusCard) -> str:
    """Return the task of a corpus that was read, see `of_section`."""
    return of_section({**card.params, "name": card.name, "emotions": card.emotions})


def _marks(corpus: Mapping[str, Any], emotions: Sequence[str]) -> list[str]:
    """Return the words that tell what is studied of a corpus, and by which name."""
    title, speech = corpus.get("title"), corpus.get("speech", "all")
    if corpus.get("merge_excited") is False and "excited" not in emotions:
        # Happy is another class than usual, under the same word.
        title = "without_excited"
    return [*([title] if title else []), *([] if speech == "all" else [speech])]


def _classes(emotions: Sequence[str]) -> list[str]:
    if tuple(emotions) == EMOTIONS:
        return []
    if not emotions:
        return ["0", "ratings"]
    is_wider = set(EMOTIONS) <= set(emotions)
    listed = [emotion for emotion in emotions if not (is_wider and emotion in EMOTIONS)]
    return [str(len(emotions)), *(emotion.replace("-", "--") for emotion in listed)]
