"""What `ser doctor` finds of what cells are to learn: whether the corpus has these ratings, votes.

Training asks the same of every fold's train part, but hours later: after all features.
"""

from collections.abc import Iterator, Mapping, Sequence

from ser.emotion import DIMENSIONS
from ser.utterance import Annotation


def unrated(
    corpus: str, annotations: Sequence[Annotation], targets_of: Mapping[str, str]
) -> Iterator[str]:
    """Say which losses want ratings that nobody in a corpus gave.

    Args:
        corpus: Its name.
        annotations: What is learnt of it.
        targets_of: Name of a loss -> its `targets`, where it has any.

    Yields:
        One sentence per loss.
    """
    rated = {name for name in DIMENSIONS for item in annotations if getattr(item, name) is not None}
    for loss, targets in targets_of.items():
        lacking = [name for name in DIMENSIONS if name not in rated]
        # Without classes, what nobody in the corpus rates is not asked for.
        if (targets == "vad" and lacking) or (targets == "ratings" and not rated):
            yield (
                f"losses.{loss}.targets: {targets} learns from ratings, but {corpus} has none of "
                f"{', '.join(lacking)}; add the file or the columns that hold them, or write "
                f"`targets: categories`"
            )


def without_votes(
    corpus: str,
    annotations: Sequence[Annotation],
    emotions: Sequence[str],
    vote_emotions: Mapping[str, str],
) -> str | None:
    """Return that soft targets have no votes to learn from, or None where there are some.

    Args:
        corpus: Its name.
        annotations: What is learnt of it.
        emotions: The classes.
        vote_emotions: Rater's label -> emotion, see `ser.utterance.Parsed`.
    """
    labels = {label for item in annotations for label, count in (item.votes or {}).items() if count}
    if {vote_emotions.get(label) for label in labels} & set(emotions):
        return None
    return (
        f"training.targets: soft learns from the votes of raters, but {corpus} has none for "
        f"{', '.join(emotions)}; add the file that holds them, or write `targets: hard`"
    )
