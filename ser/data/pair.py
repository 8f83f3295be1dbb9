"""Two corpora as one, to be trained on the first and tested on the second.

Classes are those that both have. A recording that is in both is refused. Ids, speakers, sessions
and dialogues get the name of their corpus in front, so that no two corpora share one by chance.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ser import files, lineage
from ser.cross_folders import Crossing, Side
from ser.data import audio, leakage, manifest, splits
from ser.data.card import CorpusCard
from ser.data.limits import WIDEST
from ser.data.protocols import SplitParams
from ser.data.split_report import SplitReport
from ser.data.splits import Fold
from ser.emotion import in_order
from ser.errors import LeakageError, SplitError
from ser.project import Project
from ser.utterance import Utterance
from ser.wording import shown

#: Sessions of the corpus that is trained on choose the epoch, the first by name, until they hold
#: this share of its utterances: one session of five or six.
DEV_SHARE = 0.15

_NUM_NAMED = 10


@dataclass(frozen=True, slots=True)
class CorpusRecordings:
    """Utterances with their recordings.

    Args:
        utterances: As in the manifest.
        folder: That their paths are relative to.
    """

    utterances: Sequence[Utterance]
    folder: Path

    def by_samples(self, lengths: Collection[tuple[int, int]]) -> dict[str, Utterance]:
        """Return the digest of what is heard -> its utterance, of those of some lengths."""
        return {
            audio.inspect(self.folder / u.audio, WIDEST, u.segment).samples_sha256: u
            for u in self.utterances
            if _length(u) in lengths
        }


def _length(utterance: Utterance) -> tuple[int, int]:
    return utterance.num_samples, utterance.sampling_rate


def shared_classes(first: CorpusCard, second: CorpusCard) -> tuple[str, ...]:
    """Return the classes that both corpora have, in an order that is the same both ways.

    Returns:
        The study's four in their order, then the others by name.

    Raises:
        SplitError: There are fewer than two.
    """
    common = in_order(sorted({*first.emotions} & {*second.emotions}))
    if len(common) < 2:
        raise SplitError(
            f"{first.name} has {', '.join(first.emotions)}, {second.name} has "
            f"{', '.join(second.emotions)}: at least two classes must be the same to train on one "
            f"corpus and test on the other; set `emotions` of either"
        )
    return common


def write(crossing: Crossing, project: Project) -> tuple[str, ...]:
    """Write manifest, card and the one fold of a pair.

    Args:
        crossing: What is trained and chosen on, and what is tested on, all of it.
        project: Where the pair shall be.

    Returns:
        The classes.

    Raises:
        FileError, ManifestError: A manifest or card is missing or damaged.
        SplitError: The corpora have no two classes in common, or the first has too few sessions
            to choose on one of them.
        LeakageError: A file is in both corpora, or a speaker or dialogue of the first is in
            two of its sessions; the message names it.
    """
    sides = (crossing.trained_on, crossing.tested_on)
    cards = [CorpusCard.read(side.project.corpus_card) for side in sides]
    classes = shared_classes(*cards)
    both = [_renamed(side, card, classes) for side, card in zip(sides, cards, strict=True)]
    parts = [[u for u in utterances if u.emotion is not None] for utterances in both]
    utterances = sorted([*both[0], *both[1]], key=lambda u: u.id)
    folds = [fold_of(*parts)]
    audited = leakage.audit(folds, utterances, "session")
    manifest.write(project.manifest, utterances)
    _card(crossing.pair, cards, utterances, classes).write(project.corpus_card)
    table = splits.to_csv(folds)
    files.write_text(project.splits, table)
    SplitReport(
        protocol="session",
        speaker_independent=True,
        params=SplitParams(),
        manifest_sha256=lineage.sha256_file(project.manifest),
        split_sha256=lineage.sha256_text(table),
        folds=audited,
    ).write(project.split_report)
    return classes


def fold_of(trained_on: Sequence[Utterance], tested_on: Sequence[Utterance]) -> Fold:
    """Return the one fold: whole sessions of the first corpus choose, the rest of it trains.

    A speaker without a session is one alone.

    Args:
        trained_on: Utterances of the first corpus, each with an emotion.
        tested_on: All that is tested.

    Raises:
        SplitError: No choice of the first sessions leaves every emotion in both parts.
    """
    sessions: defaultdict[str, list[Utterance]] = defaultdict(list)
    for utterance in trained_on:
        sessions[utterance.session or utterance.speaker].append(utterance)
    names, needed = sorted(sessions), {u.emotion for u in trained_on}
    for number in range(1, len(names)):
        dev = [u for name in names[:number] for u in sessions[name]]
        train = [u for name in names[number:] for u in sessions[name]]
        is_enough = len(dev) >= DEV_SHARE * len(trained_on)
        if is_enough and all({u.emotion for u in part} == needed for part in (train, dev)):
            return Fold(1, *(tuple(sorted(u.id for u in part)) for part in (train, dev, tested_on)))
    raise SplitError(
        f"{len(names)} sessions ({', '.join(map(shown, names[:_NUM_NAMED]))}) cannot be dealt to "
        f"train and dev so that both have {', '.join(sorted(map(str, needed)))}; train on a "
        f"corpus with more sessions, or on fewer classes"
    )


def require_no_shared_recording(
    first: CorpusRecordings, second: CorpusRecordings, *, names: tuple[str, str]
) -> None:
    """Refuse corpora that share a recording, whatever file holds it.

    What is compared is the digest of the samples, so FLAC and WAV of the same sound are one. Only
    those recordings are opened whose length and rate the other corpus has, too.

    Args:
        first: Utterances and recordings of one.
        second: Those of the other.
        names: Of the corpora.

    Raises:
        LeakageError: Names the recordings, in both corpora.
        AudioError: A recording whose samples are to be compared cannot be read.
    """
    lengths = {_length(u) for u in first.utterances} & {_length(u) for u in second.utterances}
    there = second.by_samples(lengths)
    same = [
        f"{names[0]}/{mine.id} is {names[1]}/{there[digest].id}"
        for digest, mine in first.by_samples(lengths).items()
        if digest in there
    ]
    if same:
        more = f", and {len(same) - _NUM_NAMED} more" if len(same) > _NUM_NAMED else ""
        raise LeakageError(
            f"recordings that are in both corpora ({len(same)}): "
            f"{', '.join(same[:_NUM_NAMED])}{more}; "
            f"what is trained on must not be tested on: take them out of one of the two"
        )


def _renamed(side: Side, card: CorpusCard, classes: Sequence[str]) -> list[Utterance]:
    """Return a corpus' utterances with its name before theirs; other classes become null."""
    return [
        replace(
            u,
            corpus=side.name,
            emotion=u.emotion if u.emotion in classes else None,
            id=f"{side.name}/{u.id}",
            audio=f"{side.name}/{u.audio}",
            speaker=f"{side.name}/{u.speaker}",
            session=None if u.session is None else f"{side.name}/{u.session}",
            dialogue=f"{side.name}/{u.dialogue}",
            votes=_votes(side, card, u),
        )
        for u in manifest.read(side.project.manifest)
    ]


def _votes(side: Side, card: CorpusCard, utterance: Utterance) -> dict[str, int] | None:
    """Return an utterance's votes by canonical emotion: the corpora may map a word otherwise."""
    if utterance.votes is None:
        return None
    found: Counter[str] = Counter()
    for label, number in utterance.votes.items():
        found[card.vote_emotions.get(label, f"{side.name}/{label}")] += number
    return dict(found)


def _card(
    name: str, cards: Sequence[CorpusCard], utterances: Sequence[Utterance], classes: Sequence[str]
) -> CorpusCard:
    """Return the card of both: what is not counted anew is of the first, which is trained on."""
    first, second = cards
    used = [u for u in utterances if u.emotion is not None]
    labels = sorted({u.label for u in utterances})
    params = {key: value for key, value in first.params.items() if key != "title"}
    return first.model_copy(
        update={
            "name": name,
            "synthetic": first.synthetic or second.synthetic,
            "licence": f"{first.licence} {second.licence}",
            "citation": f"{first.citation} {second.citation}",
            "emotions": tuple(classes),
            "num_utterances": len(utterances),
            "num_used": len(used),
            "num_rejected": 0,
            "num_speakers": len({u.speaker for u in used}),
            "num_sessions": len({u.session for u in used}),
            "duration_s": round(sum(u.duration_s for u in used), 3),
            "counts": {c: sum(u.emotion == c for u in used) for c in classes},
            "labels": {label: sum(u.label == label for u in utterances) for label in labels},
            "vote_emotions": {e: e for card in cards for e in card.vote_emotions.values()},
            "params": {**params, "name": name, "emotions": classes, "tested_on": second.params},
        }
    )
