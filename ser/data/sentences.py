"""Sentences, and folds in which no sentence of test, or of dev, was trained on."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ser.data.protocols import Dealt
from ser.errors import SplitError
from ser.utterance import Annotation
from ser.wording import first_few

_MIN_SESSIONS = 3
_MIN_SENTENCES = 2

#: As keyboards and as printers write it, the left one too, which programs put for the other.
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc]")


@lru_cache(maxsize=1 << 17)  # an audit asks for each a dozen times, two for each fold
def normalise(text: str) -> str:
    """Return a sentence without case, punctuation and spacing.

    Example:
        >>> normalise("  I'm NOT angry! ")
        'im not angry'
    """
    letters = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(re.findall(r"\w+", letters))


def of(annotations: Iterable[Annotation]) -> set[str]:
    """Return the different sentences of utterances, normalised; of null there is none."""
    return {normalise(item.text) for item in annotations if item.text}


def deal(used: Sequence[Annotation], *, num_groups: int) -> list[Dealt]:
    """Deal speakers and sentences, so that neither is shared between parts.

    Sentences are dealt into groups. A fold tests what the speakers of one session say of one
    group; dev is what those of the next session say of the next group, and of as many more as
    give it every emotion (where none do, those of the session after that); train is what all
    others say, without the sentences of both. So each utterance is tested once. Where there are
    two groups only, none is left for dev alone, and dev has the sentences of train.

    Args:
        used: The utterances, sorted by id.
        num_groups: Groups of sentences; a corpus of fewer sentences has a group for each.

    Returns:
        Train, dev and test of each fold, by session and group. A fold whose train or dev part
        would lack an emotion is left out; its utterances are tested by none.

    Raises:
        SplitError: Utterances whose words are not known; too few sessions or sentences; no
            fold has every emotion in train and dev.
    """
    _require_words(used)
    sessions = sorted({str(u.session) for u in used})
    spoken = _Spoken.of(used, num_groups=num_groups)
    _require_enough(sessions, spoken.num_groups)
    folds = [
        fold
        for index, session in enumerate(sessions)
        for group in range(spoken.num_groups)
        if (fold := spoken.fold(session, group, [*sessions[index + 1 :], *sessions[:index]]))
    ]
    if not folds:
        raise SplitError(
            f"protocol text: with {spoken.num_groups} groups of sentences no fold has every "
            f"emotion in train and in dev; choose another split.num_sentence_groups, other "
            f"corpus.emotions, or another split.protocol"
        )
    return folds


@dataclass(frozen=True, slots=True)
class _Spoken:
    """Who says which sentence.

    Args:
        used: The utterances.
        sentence_of: Utterance id -> its sentence.
        group_of: Sentence -> its group.
        num_groups: From 0 to this the groups are numbered.
    """

    used: Sequence[Annotation]
    sentence_of: Mapping[str, str]
    group_of: Mapping[str, int]
    num_groups: int

    @classmethod
    def of(cls, used: Sequence[Annotation], *, num_groups: int) -> "_Spoken":
        sentence_of = {u.id: normalise(str(u.text)) for u in used}
        num_found = min(num_groups, len(set(sentence_of.values())))
        return cls(used, sentence_of, _grouped(used, sentence_of, num_found), num_found)

    def fold(self, session: str, group: int, others: Sequence[str]) -> Dealt | None:
        """Return the fold that tests a session on a group of sentences.

        Args:
            session: Tested.
            group: Tested.
            others: The other sessions; dev is of the first that can.

        Returns:
            None if nothing is tested, or if train or dev cannot have every emotion.
        """
        test = [u for u in self.used if u.session == session and self._group(u) == group]
        if not test:
            return None
        needed = {u.emotion for u in self.used}
        heard = self._without([u for u in self.used if u.session != session], test)
        for dev_session in others:
            candidates = [u for u in heard if u.session == dev_session]
            rest = [u for u in heard if u.session != dev_session]
            for dev in self._devs(candidates, group):
                # Of two groups, train has the same one as dev.
                train = self._without(rest, dev) if self.num_groups > _MIN_SENTENCES else rest
                if all({u.emotion for u in part} == needed for part in (dev, train)):
                    return train, dev, test
        return None

    def _devs(self, candidates: Sequence[Annotation], group: int) -> Iterator[list[Annotation]]:
        """Yield dev parts of one group of sentences after the tested one, of two, and so on."""
        for count in range(1, max(2, self.num_groups - 1)):
            chosen = {(group + step) % self.num_groups for step in range(1, count + 1)}
            yield [u for u in candidates if self._group(u) in chosen]

    def _group(self, utterance: Annotation) -> int:
        return self.group_of[self.sentence_of[utterance.id]]

    def _without(
        self, utterances: Sequence[Annotation], other: Sequence[Annotation]
    ) -> list[Annotation]:
        """Return what says none of the sentences of another part."""
        said = {self.sentence_of[u.id] for u in other}
        return [u for u in utterances if self.sentence_of[u.id] not in said]


def _grouped(
    used: Sequence[Annotation], sentence_of: Mapping[str, str], num_groups: int
) -> dict[str, int]:
    """Return sentence -> group, groups alike in size and emotions."""
    spoken: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for utterance in used:
        spoken[sentence_of[utterance.id]][str(utterance.emotion)] += 1
    groups: list[Counter[str]] = [Counter() for _ in range(num_groups)]
    found: dict[str, int] = {}
    # The most frequent first: the others fill up what it leaves uneven.
    for sentence in sorted(spoken, key=lambda one: (-spoken[one].total(), one)):
        counts = spoken[sentence]
        added = [_unevenness(group, counts) for group in groups]
        index = added.index(min(added))
        groups[index] += counts
        found[sentence] = index
    return found


def _unevenness(group: Counter[str], added: Counter[str]) -> int:
    """Return how much larger a group's counts get, large ones more than small ones."""
    return sum((group[key] + count) ** 2 - group[key] ** 2 for key, count in added.items())


def _require_words(used: Sequence[Annotation]) -> None:
    if silent := [u.id for u in used if not u.text]:
        raise SplitError(
            f"protocol text needs the words of every utterance, and {len(silent)} of {len(used)} "
            f"have none: {first_few(silent)}; give them a text, or use split.protocol: session"
        )


def _require_enough(sessions: Sequence[str], num_groups: int) -> None:
    if len(sessions) < _MIN_SESSIONS:
        raise SplitError(
            f"protocol text needs at least {_MIN_SESSIONS} sessions of speakers, the corpus has "
            f"{len(sessions)}; use split.protocol: random (speaker-dependent) or a corpus with "
            f"sessions"
        )
    if num_groups < _MIN_SENTENCES:
        raise SplitError(
            "protocol text needs at least two sentences, and all utterances say the same; use "
            "split.protocol: session"
        )
