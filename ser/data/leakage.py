"""The leakage audit: what the parts of a fold share, and what they must not."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from ser.data.protocols import PARTS, Part, Protocol
from ser.data.split_report import FoldReport, Overlap, SharedSentences
from ser.data.splits import Fold
from ser.data.voices import SAFE_PROTOCOLS, Voices
from ser.errors import LeakageError
from ser.utterance import Utterance

#: What two parts can share, and where the manifest says it.
SHARABLE: Mapping[str, str] = {
    "speaker": "speaker",
    "dialogue": "dialogue",
    "session": "session",
    "audio": "sha256",
}

_ALL = frozenset(SHARABLE)
_AUDIO = frozenset({"audio"})

#: Protocol -> pair of parts -> what they must not share.
FORBIDDEN: Mapping[Protocol, Mapping[tuple[Part, Part], frozenset[str]]] = {
    "session": {("train", "dev"): _ALL, ("train", "test"): _ALL, ("dev", "test"): _ALL},
    # The dev speaker is the test speaker's partner: same session and dialogues.
    "speaker": {
        ("train", "dev"): _ALL,
        ("train", "test"): _ALL,
        ("dev", "test"): frozenset({"speaker", "audio"}),
    },
    # SUPERB chooses on utterances of the training speakers.
    "superb": {("train", "dev"): _AUDIO, ("train", "test"): _ALL, ("dev", "test"): _ALL},
    "random": {("train", "dev"): _AUDIO, ("train", "test"): _AUDIO, ("dev", "test"): _AUDIO},
}


def is_speaker_independent(protocol: Protocol) -> bool:
    """Return whether no test speaker is heard in training or in choosing."""
    rules = FORBIDDEN[protocol]
    return all("speaker" in rules[pair] for pair in (("train", "test"), ("dev", "test")))


def audit(
    folds: Sequence[Fold], utterances: Sequence[Utterance], protocol: Protocol
) -> tuple[FoldReport, ...]:
    """Measure what the parts of every fold share and refuse what they must not.

    Args:
        folds: As made by `ser.data.splits.split`.
        utterances: The manifest.
        protocol: Decides what is forbidden, see `FORBIDDEN`.

    Returns:
        One record per fold. Shared sentences are measured and never forbidden: scripted
        corpora repeat their sentences in every session.

    Raises:
        LeakageError: Parts share what the protocol forbids; all findings in one message.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    records: list[FoldReport] = []
    findings: list[str] = []
    for fold in folds:
        parts = {part: [_find(by_id, id_, fold) for id_ in fold.part(part)] for part in PARTS}
        shared = {}
        for first, second in combinations(PARTS, 2):
            common = _common(parts[first], parts[second])
            findings += [
                f"fold {fold.number}: {first} and {second} share {what} {_shorten(common[what])}"
                for what in sorted(FORBIDDEN[protocol][first, second])
                if common[what]
            ]
            sentences = _sentences(parts[first], parts[second])
            shared[f"{first}-{second}"] = Overlap(**common, sentences=sentences)
        records.append(_describe(fold.number, parts, shared))
    if findings:
        raise LeakageError(
            f"protocol {protocol} forbids what these folds share:\n  " + "\n  ".join(findings)
        )
    return tuple(records)


def normalise_sentence(text: str) -> str:
    """Return a sentence without case, punctuation and spacing.

    Example:
        >>> normalise_sentence("  I'm NOT angry! ")
        'im not angry'
    """
    letters = unicodedata.normalize("NFKC", text).casefold().replace("'", "")
    return " ".join(re.findall(r"\w+", letters))


def _find(by_id: Mapping[str, Utterance], id_: str, fold: Fold) -> Utterance:
    if id_ not in by_id:
        raise LeakageError(f"fold {fold.number}: utterance {id_!r} is not in the manifest")
    return by_id[id_]


def _common(first: Sequence[Utterance], second: Sequence[Utterance]) -> dict[str, tuple[str, ...]]:
    return {
        what: tuple(
            sorted({getattr(u, field) for u in first} & {getattr(u, field) for u in second})
        )
        for what, field in SHARABLE.items()
    }


def _sentences(first: Sequence[Utterance], second: Sequence[Utterance]) -> SharedSentences:
    known = {normalise_sentence(u.text) for u in first if u.text}
    heard = [normalise_sentence(u.text) for u in second if u.text]
    repeated = [sentence for sentence in heard if sentence in known]
    return SharedSentences(
        num_shared=len(set(repeated)),
        share_of_second_part=round(len(repeated) / len(second), 6),
    )


def _describe(
    number: int, parts: Mapping[Part, Sequence[Utterance]], shared: Mapping[str, Overlap]
) -> FoldReport:
    return FoldReport(
        fold=number,
        num_utterances={part: len(members) for part, members in parts.items()},
        duration_s={
            part: round(sum(u.duration_s for u in members), 3) for part, members in parts.items()
        },
        counts={
            part: dict(sorted(Counter(str(u.emotion) for u in members).items()))
            for part, members in parts.items()
        },
        speakers={part: tuple(sorted({u.speaker for u in mine})) for part, mine in parts.items()},
        sessions={part: tuple(sorted({u.session for u in mine})) for part, mine in parts.items()},
        shared=shared,
    )


def _shorten(values: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(values) - limit} more" if len(values) > limit else ""
    return ", ".join(values[:limit]) + more


def require_separate_voices(folds: Sequence[Fold], utterances: Sequence[Utterance]) -> None:
    """Refuse folds in which a train utterance would hear somebody of dev or test.

    Args:
        folds: What is to be trained.
        utterances: The whole manifest.

    Raises:
        LeakageError: Names the fold, the utterance and the voice.
    """
    voices, by_id = Voices(utterances), {u.id: u for u in utterances}
    for fold in folds:
        elsewhere = {*fold.dev, *fold.test}
        speakers = {by_id[id_].speaker for id_ in elsewhere}
        # What is heard is the same for all that a speaker says in a session, but for itself.
        some_of = {(by_id[id_].session, by_id[id_].speaker): by_id[id_] for id_ in fold.train}
        for utterance in some_of.values():
            for voice in voices.behind(utterance):
                is_another = voice.speaker != utterance.speaker
                if voice.id in elsewhere or (is_another and voice.speaker in speakers):
                    raise LeakageError(
                        f"fold {fold.number}: a babble copy of the train utterance "
                        f"{utterance.id!r} may hold {voice.id!r}, and its speaker "
                        f"{voice.speaker!r} is in dev or test; leave babble out of "
                        f"recipes.<model>.copies, or set split.protocol to "
                        f"{' or '.join(SAFE_PROTOCOLS)}"
                    )
