"""Folds: which utterances train, choose and test, under a named protocol."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser import files
from ser.data import official, sentences
from ser.data.protocols import PARTS, Part, Protocol, SplitParams
from ser.emotion import DIMENSIONS
from ser.errors import SplitError
from ser.utterance import Annotation, used_of
from ser.wording import shown

#: Protocols that deal neither sessions nor what is dealt to them.
_WITHOUT_SESSIONS = ("file", "random")


@dataclass(frozen=True, slots=True)
class Fold:
    """One assignment of utterances to parts.

    Args:
        number: From 1.
        train, dev, test: Sorted utterance ids, pairwise disjoint.
    """

    number: int
    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        for part in PARTS:
            if not self.part(part):
                raise SplitError(f"fold {self.number}: the {part} part is empty")
        if len({*self.train, *self.dev, *self.test}) != sum(len(self.part(part)) for part in PARTS):
            raise SplitError(f"fold {self.number}: an utterance is in more than one part")

    def part(self, name: Part) -> tuple[str, ...]:
        """Return the ids of a part."""
        ids: tuple[str, ...] = getattr(self, name)
        return ids


def split(utterances: Sequence[Annotation], params: SplitParams) -> list[Fold]:
    """Deal the utterances of the study's classes to folds.

    Deterministic: it depends on the manifest's ids in sorted order, not on the order of
    the argument.

    Args:
        utterances: The manifest, or what a corpus says before its audio is opened; those
            that are not used take no part, see `ser.utterance.used_of`.
        params: The protocol and its knobs.

    Returns:
        Folds numbered from 1: in order of the tested session, speaker or fold of the corpus.

    Raises:
        SplitError: The corpus has no sessions, or too few sessions or speakers, for the
            protocol, or parts of its own that the protocol would pass over; a train or dev part
            lacks an emotion or a rated dimension. See also `ser.data.official.deal` and
            `ser.data.sentences.deal`.
    """
    used = sorted(used_of(utterances), key=lambda u: u.id)
    if not used:
        raise SplitError("no utterance of the manifest has one of the study's emotions or a rating")
    official.require_dealt(used, params)
    if params.protocol not in _WITHOUT_SESSIONS:
        _require_sessions(used, params.protocol)
    makers = {
        "session": _session,
        "speaker": _speaker,
        "superb": _superb,
        "text": _text_folds,
        "file": _own_folds,
        "random": _random,
    }
    folds = makers[params.protocol](used, params)
    _require_every_emotion(folds, used)
    return folds


def _require_sessions(used: Sequence[Annotation], protocol: Protocol) -> None:
    without = [u.id for u in used if u.session is None]
    if without:
        raise SplitError(
            f"protocol {protocol} needs the session of every utterance, {len(without)} of "
            f"{len(used)} have none, the first is {shown(without[0])}; use split.protocol: random "
            f"(speaker-dependent), or give the corpus sessions: of a table, a column of them, or "
            f"corpus.num_sessions to deal its speakers into groups"
        )


def _session(used: Sequence[Annotation], _params: SplitParams) -> list[Fold]:
    sessions = _groups(used, "session")
    names = list(sessions)
    if len(names) < 3:
        raise SplitError(
            f"protocol session needs at least 3 sessions, the corpus has {len(names)}: "
            f"{', '.join(map(shown, names))}; "
            f"use split.protocol: random (speaker-dependent) or a corpus with sessions"
        )
    folds = []
    for index, test in enumerate(names):
        dev = names[(index + 1) % len(names)]
        train = [u for name in names if name not in (test, dev) for u in sessions[name]]
        folds.append(_fold(index + 1, train, sessions[dev], sessions[test]))
    return folds


def _speaker(used: Sequence[Annotation], _params: SplitParams) -> list[Fold]:
    sessions, speakers = _groups(used, "session"), _groups(used, "speaker")
    folds: list[Fold] = []
    for session in sessions:
        present = sorted({u.speaker for u in sessions[session]})
        if len(present) < 2:
            raise SplitError(
                f"protocol speaker needs two speakers in every session, session {session!r} "
                f"has {present}; use split.protocol: session"
            )
        for position, test in enumerate(present):
            dev = present[(position + 1) % len(present)]
            train = [u for u in used if u.session != session]
            folds.append(_fold(len(folds) + 1, train, speakers[dev], speakers[test]))
    return folds


def _superb(used: Sequence[Annotation], params: SplitParams) -> list[Fold]:
    sessions = _groups(used, "session")
    if len(sessions) < 2:
        raise SplitError(
            f"protocol superb needs at least 2 sessions, the corpus has "
            f"{', '.join(map(shown, sessions))}; use split.protocol: random (speaker-dependent)"
        )
    rng = np.random.default_rng(params.seed)
    folds = []
    for number, test in enumerate(sessions, start=1):
        rest = [u for u in used if u.session != test]
        chosen = set(rng.permutation(len(rest))[: max(1, round(len(rest) * params.dev_fraction))])
        dev = [u for index, u in enumerate(rest) if index in chosen]
        train = [u for index, u in enumerate(rest) if index not in chosen]
        folds.append(_fold(number, train, dev, sessions[test]))
    return folds


def _random(used: Sequence[Annotation], params: SplitParams) -> list[Fold]:
    # scikit-learn costs a second to import and only this protocol needs it.
    from sklearn.model_selection import StratifiedKFold, train_test_split

    labels = np.array([str(u.emotion) for u in used])
    smallest = min(np.unique(labels, return_counts=True)[1])
    if smallest < params.num_folds:
        raise SplitError(
            f"protocol random deals each emotion to split.num_folds {params.num_folds} folds, "
            f"but the rarest emotion has {smallest} utterances"
        )
    dealer = StratifiedKFold(params.num_folds, shuffle=True, random_state=params.seed)
    folds = []
    for number, (rest, test) in enumerate(dealer.split(labels, labels), start=1):
        try:
            train, dev = train_test_split(
                rest,
                test_size=params.dev_fraction,
                stratify=labels[rest],
                random_state=params.seed + number,
            )
        except ValueError as error:  # an emotion has too few utterances for two parts
            raise SplitError(
                f"protocol random cannot deal what fold {number} does not test to train and dev: "
                f"the rarest emotion has {smallest} utterances, split.dev_fraction is "
                f"{params.dev_fraction}; add utterances, leave the emotion out of "
                f"corpus.emotions, or choose another dev_fraction or num_folds"
            ) from error
        parts = ([used[index] for index in sorted(part)] for part in (train, dev, test))
        folds.append(_fold(number, *parts))
    return folds


def _text_folds(used: Sequence[Annotation], params: SplitParams) -> list[Fold]:
    dealt = sentences.deal(used, num_groups=params.num_sentence_groups)
    return [_fold(number, *parts) for number, parts in enumerate(dealt, start=1)]


def _own_folds(used: Sequence[Annotation], params: SplitParams) -> list[Fold]:
    dealt = official.deal(used, params)
    return [_fold(number, *parts) for number, parts in enumerate(dealt, start=1)]


def _groups(used: Iterable[Annotation], key: str) -> dict[str, list[Annotation]]:
    """Return the utterances by session or speaker, which all have, groups in sorted order."""
    groups: defaultdict[str, list[Annotation]] = defaultdict(list)
    for utterance in used:
        groups[getattr(utterance, key)].append(utterance)
    return dict(sorted(groups.items()))


def _fold(
    number: int, train: Iterable[Annotation], dev: Iterable[Annotation], test: Iterable[Annotation]
) -> Fold:
    ids = (tuple(sorted(u.id for u in part)) for part in (train, dev, test))
    return Fold(number, *ids)


def _require_every_emotion(folds: Sequence[Fold], used: Sequence[Annotation]) -> None:
    """Refuse folds that cannot be trained or chosen on.

    A test part that lacks an emotion is no reason to stop: scores are pooled over folds. That
    no fold tests it is one: nothing could be scored.
    """
    learnt_of = {u.id: _learnt(u) for u in used}
    needed = set().union(*learnt_of.values())
    tested = set().union(*(learnt_of[id_] for fold in folds for id_ in fold.test))
    if missing := sorted(needed - tested):
        raise SplitError(
            f"no fold tests an utterance of {', '.join(missing)}; choose other corpus.emotions or "
            f"another split.protocol"
        )
    for fold in folds:
        for part in ("train", "dev"):
            missing = sorted(needed - set().union(*(learnt_of[id_] for id_ in fold.part(part))))
            if missing:
                raise SplitError(
                    f"fold {fold.number}: no utterance of {', '.join(missing)} in the {part} "
                    f"part{_only_in(missing, used)}; choose other corpus.emotions or another "
                    f"split.protocol"
                )


def _learnt(item: Annotation) -> set[str]:
    """Return what an utterance teaches: its emotion, or the dimensions that it is rated on."""
    if item.emotion is not None:
        return {item.emotion}
    return {f"rated {name}" for name in DIMENSIONS if getattr(item, name) is not None}


def _only_in(missing: Sequence[str], used: Sequence[Annotation]) -> str:
    """Return in which sessions emotions are spoken, where these are one or two each."""
    found = {emotion: {u.session for u in used if u.emotion == emotion} for emotion in missing}
    rare = [
        f"{emotion} is spoken in {' and '.join(map(shown, sorted(map(str, sessions))))} alone"
        for emotion, sessions in found.items()
        if 1 <= len(sessions) <= 2 and None not in sessions
    ]
    return f" ({'; '.join(rare)})" if rare else ""


def to_csv(folds: Sequence[Fold]) -> str:
    """Return folds as CSV text: `fold,part,utterance_id`, in a fixed order."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("fold", "part", "utterance_id"))
    for fold in folds:
        for part in PARTS:
            writer.writerows((fold.number, part, id_) for id_ in fold.part(part))
    return buffer.getvalue()


def read(path: Path) -> list[Fold]:
    """Read folds from splits.csv.

    Raises:
        FileError: The file is missing or cannot be read.
        SplitError: A line is not `fold,part,utterance_id`, or a part is empty.
    """
    parts: dict[int, Mapping[str, list[str]]] = {}
    text = files.read_text(path, cure="`dvc repro split` makes it")
    for line, row in enumerate(_rows(path, text), start=2):
        try:
            fold = parts.setdefault(int(row["fold"]), {part: [] for part in PARTS})
            fold[row["part"]].append(_text(row["utterance_id"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SplitError(
                f"{path}:{line}: expected fold,part,utterance_id with part one of "
                f"{', '.join(PARTS)}, got {shown(row)}"
            ) from error
    if not parts:
        raise SplitError(f"{path}: no folds; run `dvc repro split`")
    return [
        Fold(number, *(tuple(sorted(ids[part])) for part in PARTS))
        for number, ids in sorted(parts.items())
    ]


def _text(field: str | None) -> str:
    if not field:  # a line that ends early
        raise ValueError("no utterance_id")
    return field


def _rows(path: Path, text: str) -> Iterator[dict[str, str]]:
    try:
        yield from csv.DictReader(io.StringIO(text))
    except csv.Error as error:
        raise SplitError(f"{path}: not a CSV table: {error}; run `dvc repro split`") from error
