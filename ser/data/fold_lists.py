"""Lists of who trains and who is tested, as EmoBox publishes them for its corpora.

A folder `fold_<k>` per fold, k a whole number, with `<name>_train_fold_<k>.jsonl`,
`<name>_test_fold_<k>.jsonl` and, where there is one, `<name>_valid_fold_<k>.jsonl`. Each line is an
object of JSON with `key`, the utterance, and `dataset`, the name that stands in front of the key;
`wav` finds an utterance that the key does not. What else a line says, labels too, is not read, and
neither are files of other names.

Source: Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and
Benchmark", Interspeech 2024; https://github.com/emo-box/EmoBox
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ser import files
from ser.contracts import Corpus
from ser.errors import CorpusError
from ser.utterance import Annotation, Parsed
from ser.wording import first_few, shown

_FOLDER = re.compile(r"fold_(\d{1,6})")
_PARTS = ("train", "valid", "test")
_REQUIRED = ("train", "test")


def parse(corpus: Corpus, root: Path, folder: str | None) -> Parsed:
    """Return what a corpus says, and what lists in its folder say of it.

    Args:
        corpus: Its parser.
        root: Its folder.
        folder: `corpus.fold_lists`.

    Raises:
        CorpusError: See the parser and `assign`.
    """
    parsed = corpus.parse(root)
    return parsed if folder is None else assign(parsed, root / folder)


def assign(parsed: Parsed, folder: Path) -> Parsed:
    """Return what a corpus says, each utterance with its part in every fold that lists it.

    Args:
        parsed: From the corpus' parser.
        folder: Holds the folds' folders.

    Raises:
        CorpusError: There are no lists, a fold lacks one or has two, a line cannot be read, an
            utterance is not in the corpus, may be any of several, or is listed twice in a fold,
            or the corpus has parts already. Names the file.
    """
    own = next((a.id for a in parsed.annotations if a.fold is not None or a.parts), None)
    if own is not None:
        raise CorpusError(
            f"{folder}: the corpus says itself who is tested (utterance {shown(own)}), so these "
            f"lists cannot; leave out corpus.fold_lists, or name the column in "
            f"corpus.ignored_columns"
        )
    index = _Index.of(parsed.annotations)
    parts: defaultdict[str, dict[str, str]] = defaultdict(dict)
    strangers: list[str] = []
    for fold, lists in _lists(folder).items():
        for part, path in lists.items():
            for line in _lines(path):
                id_ = index.find(line)
                if id_ is None:
                    strangers.append(f"{path.name}: {line.key}")
                elif fold in parts[id_]:
                    raise CorpusError(
                        f"{line.place}: {shown(line.key)} is listed in fold {fold} twice"
                    )
                else:
                    parts[id_][fold] = part
    if strangers:
        raise CorpusError(
            f"{folder}: {len(strangers)} listed utterances are not in the corpus: "
            f"{first_few(strangers)}; take the lists of this corpus, or the whole of it"
        )
    annotations = (replace(a, parts=parts.get(a.id)) for a in parsed.annotations)
    return replace(parsed, annotations=tuple(annotations))


@dataclass(frozen=True, slots=True)
class _Listed:
    place: str
    key: str
    dataset: str
    wav: str


@dataclass(frozen=True, slots=True)
class _Index:
    """The utterances by their id, and by their recording.

    Args:
        ids: All ids.
        of_path: Path of a recording without its ending -> ids.
        of_name: The same, without its folders.
    """

    ids: frozenset[str]
    of_path: Mapping[str, list[str]]
    of_name: Mapping[str, list[str]]

    @classmethod
    def of(cls, annotations: tuple[Annotation, ...]) -> "_Index":
        of_path, of_name = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        for annotation in annotations:
            stem = _stem(annotation.audio)
            of_path[stem].append(annotation.id)
            of_name[PurePosixPath(stem).name].append(annotation.id)
        return cls(frozenset(a.id for a in annotations), dict(of_path), dict(of_name))

    def find(self, line: _Listed) -> str | None:
        """Return the id of a listed utterance, or None.

        Raises:
            CorpusError: It may be any of several.
        """
        for key in (line.key, line.key.removeprefix(f"{line.dataset}-")):
            if key in self.ids:
                return key
        found = self._recorded(_stem(line.wav).split("/"))
        if len(found) > 1:
            raise CorpusError(
                f"{line.place}: {shown(line.wav)} may be any of the utterances "
                f"{first_few(sorted(found))}; write the id as `key`, or the folders of the "
                f"recording in `wav`"
            )
        return found[0] if found else None

    def _recorded(self, pieces: list[str]) -> list[str]:
        """Return the ids that a path, in pieces, may mean."""
        # The corpus lies somewhere else than where the list was made.
        for first in range(len(pieces) - 1):
            if found := self.of_path.get("/".join(pieces[first:])):
                return found
        # What is left is a name alone, which recordings of several folders may have.
        is_there = len(pieces) == 1 or pieces[-1] in self.of_path
        return self.of_name.get(pieces[-1], []) if is_there else []


def _stem(path: str) -> str:
    named = PurePosixPath(path)
    return named.with_suffix("").as_posix() if named.name else ""


def _lists(folder: Path) -> dict[str, dict[str, Path]]:
    """Return fold -> part -> its list."""
    try:
        folders = sorted(path for path in folder.iterdir() if _FOLDER.fullmatch(path.name))
    except OSError as error:
        raise CorpusError(
            f"{folder}: cannot be listed ({error.strerror}); it is corpus.fold_lists"
        ) from error
    if not folders:
        raise CorpusError(f"{folder}: no folder fold_<k> in it, as corpus.fold_lists needs them")
    return {path.name.removeprefix("fold_"): _lists_of(path) for path in folders}


def _lists_of(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for part in _PARTS:
        paths = sorted(folder.glob(f"*_{part}_{folder.name}.jsonl"))
        if len(paths) > 1:
            raise CorpusError(f"{folder}: {paths[0].name} and {paths[1].name}; keep one of both")
        if not paths and part in _REQUIRED:
            raise CorpusError(f"{folder}: no list <name>_{part}_{folder.name}.jsonl")
        if paths:
            found[part] = paths[0]
    return found


def _lines(path: Path) -> Iterator[_Listed]:
    text = files.read_text(path, cure="corpus.fold_lists names its folder")
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            words = [said["key"], said.get("dataset", ""), said.get("wav", "")]
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise CorpusError(
                f"{place}: expected an object of JSON with a key, got {shown(line)}"
            ) from error
        if not all(isinstance(word, str) for word in words) or not words[0]:
            raise CorpusError(f"{place}: key, dataset and wav must be text, got {shown(words)}")
        yield _Listed(place, *words)
