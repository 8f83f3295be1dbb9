"""Raters' votes on the classes: how many each class got, and the shares that are learnt of them.

Votes are mapped to emotions as labels are. A vote for an emotion that is no class, or for none, is
left out; the others make up the whole.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ser.data.card import CorpusCard
from ser.utterance import Utterance


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of a corpus, as far as they are for its classes.

    Args:
        emotions: The classes, in order.
        counts_of: Utterance id -> votes per class, in sum at least 1. Utterances without such
            votes are not here.
        num_utterances: Utterances of the classes.
        num_unrated: Of these, without any vote.
        num_outside: Of these, with votes, none of which is for a class.
        share_left_out: Of all votes on utterances of the classes, how many are for no class,
            in [0, 1]; 0 without votes.
    """

    emotions: tuple[str, ...]
    counts_of: Mapping[str, tuple[int, ...]]
    num_utterances: int
    num_unrated: int
    num_outside: int
    share_left_out: float

    @property
    def are_there(self) -> bool:
        """Whether any utterance has votes for a class."""
        return bool(self.counts_of)

    def shares_of(self, id_: str) -> tuple[float, ...]:
        """Return each class' share of an utterance's votes for classes, in sum 1."""
        counts = np.array(self.counts_of[id_], dtype=np.float64)
        return tuple((counts / counts.sum()).tolist())

    def targets(self, label_of: Mapping[str, int]) -> dict[str, tuple[float, ...]]:
        """Return utterance id -> the shares to be learnt.

        Args:
            label_of: Utterance id -> class index. An utterance without votes for a class has
                its label, with a share of 1.
        """
        certain = np.eye(len(self.emotions)).tolist()
        return {
            id_: self.shares_of(id_) if id_ in self.counts_of else tuple(certain[label])
            for id_, label in label_of.items()
        }

    @property
    def statement(self) -> str:
        """How many utterances have votes, and what is left out, in a sentence."""
        left_out = (
            f"{100 * self.share_left_out:.1f} % of the votes are for none of the classes and are "
            f"left out"
        )
        return (
            f"{len(self.counts_of)} of {self.num_utterances} utterances have votes for the "
            f"classes ({self.num_unrated} have no votes, {self.num_outside} none for a class); "
            f"{left_out}"
        )


def of_corpus(utterances: Iterable[Utterance], card: CorpusCard) -> Votes:
    """Return the votes on the utterances of the classes.

    Args:
        utterances: The manifest.
        card: Its classes, and what the raters' labels are mapped to.
    """
    used = [item for item in utterances if item.emotion is not None]
    counts_of = {item.id: _counts(item, card) for item in used if item.votes}
    num_votes = sum(sum(item.votes.values()) for item in used if item.votes)
    kept = {id_: counts for id_, counts in counts_of.items() if any(counts)}
    num_kept = sum(sum(counts) for counts in kept.values())
    return Votes(
        emotions=card.emotions,
        counts_of=kept,
        num_utterances=len(used),
        num_unrated=len(used) - len(counts_of),
        num_outside=len(counts_of) - len(kept),
        share_left_out=1 - num_kept / num_votes if num_votes else 0.0,
    )


def _counts(utterance: Utterance, card: CorpusCard) -> tuple[int, ...]:
    """Return an utterance's votes per class."""
    found: Counter[str | None] = Counter()
    for label, number in (utterance.votes or {}).items():
        found[card.vote_emotions.get(label)] += number
    return tuple(found[emotion] for emotion in card.emotions)
