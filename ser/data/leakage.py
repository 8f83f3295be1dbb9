"""The leakage audit: what the parts of a fold share, and what they must not."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

from ser.data import left_out, segments, sentences
from ser.data.protocols import PARTS, Part, Protocol, Shareable
from ser.data.split_report import FoldReport, Overlap, SharedSentences
from ser.data.splits import Fold
from ser.data.voices import SAFE_PROTOCOLS, Voices
from ser.errors import LeakageError
from ser.utterance import Annotation, Utterance, used_of
from ser.wording import first_few, shown

#: What two parts can share, and where the manifest says it.
SHARABLE: Mapping[str, str] = {
    "speaker": "speaker",
    "dialogue": "dialogue",
    "session": "session",
    "audio": "sha256",
}

_ALL = frozenset(SHARABLE)
_AUDIO = frozenset({"audio"})
#: Not in `SHARABLE`, because most protocols measure it only.
_SENTENCE = frozenset({"sentence"})
_SAID = (_ALL | _SENTENCE) - _AUDIO

_NUM_LISTED = 20
_RANDOM = ", or set split.protocol: random (speaker-dependent)"
_OTHER_CURES: Mapping[Protocol, str] = {
    "random": "",
    "file": "; what its parts share on purpose stands in split.may_share: [speaker, dialogue] "
    "(marked speaker-dependent)",
}
_Said = TypeVar("_Said", bound=Annotation)

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
    # Where a corpus has two sentences, dev has those of train.
    "text": {
        ("train", "dev"): _ALL,
        ("train", "test"): _ALL | _SENTENCE,
        ("dev", "test"): _ALL | _SENTENCE,
    },
    # Sessions are ours where the corpus has none; its own parts do not follow them.
    "file": dict.fromkeys(combinations(PARTS, 2), _ALL - {"session"}),
    "random": {("train", "dev"): _AUDIO, ("train", "test"): _AUDIO, ("dev", "test"): _AUDIO},
}


def is_speaker_independent(protocol: Protocol, may_share: Collection[Shareable] = ()) -> bool:
    """Return whether no test speaker is heard in training or in choosing.

    Args:
        protocol: Of the folds.
        may_share: What the corpus' own parts may share, see `SplitParams`.
    """
    pairs: tuple[tuple[Part, Part], ...] = (("train", "test"), ("dev", "test"))
    return all("speaker" in FORBIDDEN[protocol][pair] - set(may_share) for pair in pairs)


def audit(
    folds: Sequence[Fold],
    utterances: Sequence[Utterance],
    protocol: Protocol,
    may_share: Collection[Shareable] = (),
) -> tuple[FoldReport, ...]:
    """Measure what the parts of every fold share and refuse what they must not.

    Args:
        folds: As made by `ser.data.splits.split`.
        utterances: The manifest.
        protocol: Decides what is forbidden, see `FORBIDDEN`.
        may_share: What the corpus' own parts may share all the same.

    Returns:
        One record per fold. Shared sentences are measured, and forbidden by `text` only:
        scripted corpora repeat their sentences in every session.

    Raises:
        LeakageError: Parts share what the protocol forbids; all findings in one message.
    """
    require_apart(folds, utterances, protocol, may_share, what=_ALL | _SENTENCE)
    used = used_of(utterances)
    by_id = {utterance.id: utterance for utterance in utterances}
    records: list[FoldReport] = []
    for fold in folds:
        parts = {part: [_find(by_id, id_, fold) for id_ in fold.part(part)] for part in PARTS}
        shared = {}
        for first, second in combinations(PARTS, 2):
            common = {what: _common(parts[first], parts[second], what) for what in SHARABLE}
            repeated = _sentences(parts[first], parts[second])
            shared[f"{first}-{second}"] = Overlap(**common, sentences=repeated)
        records.append(_describe(fold.number, parts, shared, used))
    return tuple(records)


def require_apart(
    folds: Sequence[Fold],
    annotations: Sequence[Annotation],
    protocol: Protocol,
    may_share: Collection[Shareable] = (),
    *,
    what: Collection[str] = _SAID,
) -> None:
    """Refuse folds whose parts share what the protocol forbids, or any sound of one recording.

    Args:
        folds: As made by `ser.data.splits.split`.
        annotations: What was split.
        protocol: Decides what is forbidden, see `FORBIDDEN`.
        may_share: What the corpus' own parts may share all the same.
        what: Of `SHARABLE`, or `sentence`; the default is what is known before audio is opened.

    Raises:
        LeakageError: All findings in one message, with the cure.
    """
    by_id = {annotation.id: annotation for annotation in annotations}
    overlapping = list(segments.overlapping(annotations))
    findings: list[str] = []
    for fold in folds:
        parts = {part: [_find(by_id, id_, fold) for id_ in fold.part(part)] for part in PARTS}
        for first, second in combinations(PARTS, 2):
            forbidden = FORBIDDEN[protocol][first, second] - set(may_share)
            for one in sorted(forbidden & set(what)):
                if common := _common(parts[first], parts[second], one):
                    names = first_few(common)
                    findings.append(f"fold {fold.number}: {first} and {second} share {one} {names}")
        findings += _shared_sound(fold, overlapping)
    if findings:
        more = [f"... and {len(findings) - _NUM_LISTED} more"] if findings[_NUM_LISTED:] else []
        listed = "\n  ".join([*findings[:_NUM_LISTED], *more])
        raise LeakageError(
            f"protocol {protocol} forbids what these folds share:\n  {listed}\nmend these in the "
            f"corpus{_OTHER_CURES.get(protocol, _RANDOM)}"
        )


def _shared_sound(fold: Fold, pairs: Sequence[tuple[Annotation, Annotation]]) -> Iterator[str]:
    """Yield what pairs of utterances that overlap are in two parts of a fold."""
    part_of = {id_: part for part in PARTS for id_ in fold.part(part)}
    for one, other in pairs:
        parts = {part_of.get(one.id), part_of.get(other.id)} - {None}
        if len(parts) == 2:
            first, second = (part for part in PARTS if part in parts)
            yield (
                f"fold {fold.number}: {first} and {second} share some of the recording "
                f"{shown(one.audio)}: {shown(one.id)} and {shown(other.id)} overlap"
            )


def _find(by_id: Mapping[str, _Said], id_: str, fold: Fold) -> _Said:
    if id_ not in by_id:
        raise LeakageError(f"fold {fold.number}: utterance {id_!r} is not in the manifest")
    return by_id[id_]


def _common(
    first: Sequence[Annotation], second: Sequence[Annotation], what: str
) -> tuple[str, ...]:
    if what == "sentence":
        return tuple(sorted(sentences.of(first) & sentences.of(second)))
    field = SHARABLE[what]
    shared = {getattr(u, field) for u in first} & {getattr(u, field) for u in second}
    return tuple(sorted(shared - {None}))  # what is not stated is not shared


def _sentences(first: Sequence[Utterance], second: Sequence[Utterance]) -> SharedSentences:
    known = {sentences.normalise(u.text) for u in first if u.text}
    heard = [sentences.normalise(u.text) for u in second if u.text]
    repeated = [sentence for sentence in heard if sentence in known]
    return SharedSentences(
        num_shared=len(set(repeated)),
        share_of_second_part=round(len(repeated) / len(second), 6),
    )


def _describe(
    number: int,
    parts: Mapping[Part, Sequence[Utterance]],
    shared: Mapping[str, Overlap],
    used: Sequence[Utterance],
) -> FoldReport:
    return FoldReport(
        fold=number,
        num_utterances={part: len(members) for part, members in parts.items()},
        duration_s={
            part: round(sum(u.duration_s for u in members), 3) for part, members in parts.items()
        },
        counts={
            part: dict(sorted(Counter(u.emotion for u in members if u.emotion).items()))
            for part, members in parts.items()
        },
        speakers={part: tuple(sorted({u.speaker for u in mine})) for part, mine in parts.items()},
        sessions={
            part: tuple(sorted({u.session for u in mine if u.session is not None}))
            for part, mine in parts.items()
        },
        shared=shared,
        left_out=left_out.by_reason(used, parts),
    )


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
