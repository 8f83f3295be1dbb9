"""Folds that a corpus brings itself: its parts, its folds, or lists of both."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ser.data.protocols import PARTS, Dealt, Part, SplitParams
from ser.errors import SplitError
from ser.utterance import Annotation
from ser.wording import first_few, shown

#: The fold of a corpus that has parts and no folds.
ONLY_FOLD = "1"
_MIN_FOLDS = 3

#: What corpora call their parts, in small letters.
_NAMES: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


def deal(used: Sequence[Annotation], params: SplitParams) -> list[Dealt]:
    """Deal utterances as their corpus says.

    Of a corpus with folds, each tests one and chooses on the next, cyclically. Of a corpus with
    parts, its dev part chooses; where lists of three folds or more name none, what the next fold
    tests does, and is no part of train. Where there is no next fold either, some of train's
    speakers choose, drawn until they say `dev_fraction` of it.

    Args:
        used: The utterances, sorted by id.
        params: `part_map` gives the corpus' own words for parts; `dev_fraction` and `seed` draw
            what chooses where nothing else says it.

    Returns:
        Train, dev and test of each fold, by the fold's name.

    Raises:
        SplitError: The corpus has no parts; an utterance has none; a word is not known; a part is
            empty; an utterance is tested twice; too few folds. Names them.
    """
    with_fold = [u for u in used if u.fold is not None]
    with_parts = [u for u in used if u.parts is not None]
    if not with_fold and not with_parts:
        raise SplitError(
            "protocol file needs the corpus' own parts or folds, and the manifest has none: a "
            "table has them in corpus.columns.part or corpus.columns.fold, any corpus in lists "
            "(corpus.fold_lists)"
        )
    if missing := [u.id for u in used if u.fold is None and u.parts is None]:
        raise SplitError(
            f"protocol file: {len(missing)} of {len(used)} utterances are in no part: "
            f"{first_few(missing)}; give each a part (a word that split.part_map maps to null "
            f"takes none), or leave them out of the corpus"
        )
    if with_fold and with_parts:
        raise SplitError(
            f"protocol file: utterances have folds and parts, e.g. {shown(with_fold[0].id)} and "
            f"{shown(with_parts[0].id)}; keep one of both"
        )
    if with_fold:
        _require_words({}, params.part_map)
    folds = _by_fold(used) if with_fold else _by_parts(used, params)
    _require_tested_once(folds)
    return folds


def require_dealt(utterances: Sequence[Annotation], params: SplitParams) -> None:
    """Refuse a protocol that would pass over the corpus' own parts in silence.

    Raises:
        SplitError: There are such parts, and the protocol is another than `file`.
    """
    own = next((u for u in utterances if u.fold is not None or u.parts is not None), None)
    if own is not None and params.protocol != "file":
        said = (
            f"fold {shown(own.fold)}" if own.fold is not None else f"parts {dict(own.parts or {})}"
        )
        raise SplitError(
            f"the corpus says who trains and who is tested ({shown(own.id)}: {said}), and "
            f"protocol {params.protocol} would pass that over; set split.protocol: file, or name "
            f"the column in corpus.ignored_columns"
        )


def _by_fold(used: Sequence[Annotation]) -> list[Dealt]:
    names = sorted({str(u.fold) for u in used}, key=_natural)
    if len(names) < _MIN_FOLDS:
        raise SplitError(
            f"protocol file needs at least {_MIN_FOLDS} folds, one each to train, to choose and to "
            f"test; the corpus has {len(names)}: {first_few(names)}; give it parts (train, dev, "
            f"test) in corpus.columns.part, or use another split.protocol"
        )
    of_fold = {name: [u for u in used if u.fold == name] for name in names}
    folds: list[Dealt] = []
    for index, test in enumerate(names):
        dev = names[(index + 1) % len(names)]
        train = [u for u in used if u.fold not in (test, dev)]
        folds.append((train, of_fold[dev], of_fold[test]))
    return folds


def _by_parts(used: Sequence[Annotation], params: SplitParams) -> list[Dealt]:
    words = Counter(word for u in used for word in (u.parts or {}).values())
    part_of = _require_words(words, params.part_map)
    names = sorted({name for u in used for name in u.parts or {}}, key=_natural)
    dealt: list[dict[Part, list[Annotation]]] = []
    for name in names:
        parts: dict[Part, list[Annotation]] = {part: [] for part in PARTS}
        if missing := [u.id for u in used if name not in (u.parts or {})]:
            raise SplitError(
                f"protocol file: fold {name}: {len(missing)} of {len(used)} utterances are in no "
                f"part: {first_few(missing)}; list each in one"
            )
        for utterance in used:
            part = part_of[(utterance.parts or {})[name]]
            if part is not None:
                parts[part].append(utterance)
        dealt.append(parts)
    if not any(parts["dev"] for parts in dealt):
        if len(dealt) >= _MIN_FOLDS:
            _choose_on_the_next(dealt)
        else:
            _choose_on_some_speakers(dealt, params)
    for name, parts in zip(names, dealt, strict=True):
        _require_members(name, parts, words)
    return [(parts["train"], parts["dev"], parts["test"]) for parts in dealt]


def _choose_on_the_next(dealt: Sequence[dict[Part, list[Annotation]]]) -> None:
    tests = [parts["test"] for parts in dealt]
    for index, parts in enumerate(dealt):
        after = {u.id for u in tests[(index + 1) % len(tests)]}
        parts["dev"] = [u for u in parts["train"] if u.id in after]
        parts["train"] = [u for u in parts["train"] if u.id not in after]


def _choose_on_some_speakers(
    dealt: Sequence[dict[Part, list[Annotation]]], params: SplitParams
) -> None:
    for number, parts in enumerate(dealt):
        train = parts["train"]
        said = Counter(u.speaker for u in train)
        rng = np.random.default_rng([params.seed, number])
        drawn: list[str] = []
        # One speaker at least is left to train on.
        for speaker in rng.permutation(sorted(said))[:-1]:
            if sum(said[name] for name in drawn) >= params.dev_fraction * len(train):
                break
            drawn.append(str(speaker))
        parts["dev"] = [u for u in train if u.speaker in drawn]
        parts["train"] = [u for u in train if u.speaker not in drawn]


def _require_words(
    words: Mapping[str, int], part_map: Mapping[str, Part | None]
) -> dict[str, Part | None]:
    """Return the corpus' own word -> part; refuse words that nothing maps, all at once."""
    if unused := sorted(set(part_map) - set(words)):
        raise SplitError(
            f"split.part_map maps {first_few(unused)}, which no utterance has; the corpus' words "
            f"for parts are {first_few(sorted(words)) or 'none'}"
        )
    part_of = {word: part_map.get(word, _NAMES.get(word.strip().lower())) for word in words}
    if unknown := [w for w in sorted(words) if w not in part_map and part_of[w] is None]:
        each = ", ".join(f"{shown(word)} ({words[word]} utterances)" for word in unknown)
        raise SplitError(
            f"protocol file: {each}: no known name of a part; map each in split.part_map to "
            f"{', '.join(PARTS)}, or to null for utterances that take no part"
        )
    return part_of


def _require_members(
    name: str, parts: Mapping[Part, Sequence[Annotation]], words: Mapping[str, int]
) -> None:
    if empty := [part for part in PARTS if not parts[part]]:
        raise SplitError(
            f"protocol file: fold {name} has no utterance of the study's emotions in "
            f"{' and '.join(empty)}; its words for parts are {first_few(sorted(words))}; "
            f"split.part_map says which is which"
        )


def _require_tested_once(folds: Sequence[Dealt]) -> None:
    tested = Counter(u.id for _, _, test in folds for u in test)
    if twice := sorted(id_ for id_, count in tested.items() if count > 1):
        raise SplitError(
            f"protocol file: {len(twice)} utterances are tested by more than one fold: "
            f"{first_few(twice)}; scores are pooled over folds, so each may be tested once"
        )


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts `fold 2` before `fold 10`."""
    pieces = re.findall(r"\d+|\D+", name)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in pieces]
