"""Any corpus that a table describes: one row per utterance, in a CSV file.

The table has a header. The columns `path`, `speaker` and, where there are classes, `label` are
required; `id`, `gender`, `session`, `dialogue`, `scripted`, `text`, `valence`, `arousal`,
`dominance`, `start`, `end`, `part` and `fold` are read where present. Another column that would
change what is heard or who is tested, as `onset` or `split`, is refused unless the params name it
or pass it over; what else is not read is said. Licence and citation are the owner's: state them in
the params.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ser.contracts import Corpus
from ser.data import recordings
from ser.data.corpora import _recordings, _sessions, _table, _unread
from ser.data.corpora._csv_params import MIN_SESSIONS
from ser.data.corpora._csv_params import Params as Params
from ser.data.official import ONLY_FOLD
from ser.emotion import DIMENSION_RANGE, VOCABULARY
from ser.errors import CorpusError
from ser.utterance import Annotation, Gender, Parsed, Rejection, Utterance
from ser.wording import cut

_MAX_LISTED = 1000
#: The label of an utterance that has none, in a corpus of ratings.
_NO_LABEL = "not labelled"
_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_GENDERS: Mapping[str, Gender | None] = {
    "female": "female",
    "f": "female",
    "male": "male",
    "m": "male",
    **dict.fromkeys(("", "unknown", "other", "diverse", "nonbinary", "non-binary")),
}
_TRUTHS: Mapping[str, bool | None] = {"true": True, "1": True, "false": False, "0": False, "": None}


class TableCorpus:
    """Parser of a corpus described by a table, see the module.

    Args:
        params: See `Params`; its fields are read as they are.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self.synthetic = params.synthetic
        self.licence = params.licence
        self.redistributable = params.redistributable
        self.citation = params.citation

    def parse(self, root: Path) -> Parsed:
        """Read the table and list the folder.

        Args:
            root: The corpus' folder.

        Returns:
            One annotation per row whose recording exists. Rows that cannot be read or
            whose recording is missing, and recordings without a row, are rejections.

        Raises:
            CorpusError: The table is missing, lacks a required column, has one that must not
                be passed over, or cannot be decoded; a label is neither a class, nor canonical,
                nor in `label_map`; a speaker's gender is contradictory or no word for one; too
                few speakers for the sessions.
        """
        path = root / self.params.table
        if not path.is_file():
            expected = f"the table {self.params.table} (corpus.table) in it"
            raise _recordings.not_the_corpus(self.params.name, root, expected=expected)
        rows, rejections = self._rows(path)
        if not rows:
            why = f"; {rejections[0].reason}" if rejections else ""
            raise CorpusError(f"{path}: no row can be read; expected one per recording{why}")
        rows = [_as_on_disk(root, row) for row in rows]
        self._check_labels(path, rows)
        genders = self._genders(path, rows)
        sessions = self._sessions(path, rows, genders)
        annotations: list[Annotation] = []
        for row in rows:
            try:
                annotations.append(self._annotation(root, row, genders, sessions))
            except ValueError as error:
                reason = f"{path.name}:{row.line}: {error}"
                rejections.append(Rejection(id=_id(row), audio=_audio(row), reason=reason))
        if self.params.refuse_unlisted:
            rejections += _unlisted(root, {_audio(row) for row in rows}, table=path.name)
        return Parsed(tuple(annotations), tuple(rejections))

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Accept any counts: nobody knows the right ones of a table's corpus.

        Args:
            utterances: All that the intake accepted.
        """

    def _rows(self, path: Path) -> tuple[list[_table.TableRow], list[Rejection]]:
        """Return the rows that name a recording, and a rejection for each of the others."""
        rows: list[_table.TableRow] = []
        rejections: list[Rejection] = []
        columns = self.params.columns
        first_line: dict[tuple[tuple[str, str], ...], int] = {}
        for row in _table.read(
            path,
            names=columns.read(self.params.ignored_columns),
            required={*self.params.required, *columns.model_fields_set},
            encoding=self.params.encoding,
            delimiter=self.params.delimiter,
            check=self._check_unread,
        ):
            fault = (
                row.reason if isinstance(row, _table.BadRow) else _fault(row, self.params.required)
            )
            if isinstance(row, _table.TableRow) and fault is None:
                same = first_line.setdefault(tuple(row.fields.items()), row.line)
                fault = None if same == row.line else f"it repeats line {same}, which is kept"
            if isinstance(row, _table.TableRow) and fault is None:
                rows.append(row)
            else:
                where = f"{path.name}:{row.line}"
                rejections.append(Rejection(id=where, audio=None, reason=f"{where}: {fault}"))
        return rows, rejections

    def _check_unread(self, path: Path, header: Sequence[str]) -> None:
        """Refuse columns that must not be passed over, and name the others that are."""
        ignored = self.params.ignored_columns
        read = self.params.columns.read(ignored)
        if missing := sorted(set(ignored) - set(header)):
            raise CorpusError(
                f"{path}:1: no column {', '.join(missing)}, which corpus.ignored_columns names"
            )
        _unread.check(path, [name for name in header if name not in {*read.values(), *ignored}])
        _refuse_half(path, {column: name for column, name in read.items() if name in header})

    def _check_labels(self, path: Path, rows: Sequence[_table.TableRow]) -> None:
        """Refuse labels that nothing maps, all at once; without classes any label will do."""
        if not self.params.emotions:
            return
        labels = {row.fields["label"] for row in rows} - set(self.params.label_map)
        if unknown := sorted(labels - {*self.params.emotions, *VOCABULARY}):
            raise CorpusError(
                f"{path}: labels {cut(str(unknown), _MAX_LISTED)} are neither in corpus.emotions "
                f"({', '.join(self.params.emotions)}) nor canonical ({', '.join(VOCABULARY)}); "
                "name in corpus.emotions what is a class of its own, and map the others in "
                "corpus.label_map, to null to keep them without an emotion"
            )

    def _genders(self, path: Path, rows: Sequence[_table.TableRow]) -> dict[str, Gender | None]:
        """Return speaker -> gender, said once in the table or in the params, or not at all."""
        said: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            speaker, word = row.fields["speaker"], row.fields.get("gender", "").lower()
            found = (_GENDERS.get(word, word), self.params.genders.get(speaker))
            said[speaker] |= {name for name in found if name is not None}
        wrong = {
            speaker: sorted(words)
            for speaker, words in sorted(said.items())
            if len(words) > 1 or not words <= {"female", "male"}
        }
        if wrong:
            each = [f"{speaker}: {words}" for speaker, words in wrong.items()]
            listed = cut("; ".join(each), _MAX_LISTED)
            raise CorpusError(
                f"{path}: a speaker has one gender at most, {', '.join(filter(None, _GENDERS))} "
                f"or nothing, got {listed}; mend the column {self.params.columns.gender!r} or "
                f"corpus.genders"
            )
        return {who: _GENDERS[words.pop()] if words else None for who, words in said.items()}

    def _sessions(
        self, path: Path, rows: Sequence[_table.TableRow], genders: Mapping[str, Gender | None]
    ) -> Mapping[str, str] | None:
        """Return speaker -> session, empty where none is dealt; None: the table has its own."""
        if any(row.fields.get("session") for row in rows):
            return None
        if self.params.num_sessions is None:
            return {}
        num_sessions, conversations = self.params.num_sessions, _conversations(rows)
        if self.params.fold_lists or {"part", "fold"} & set(rows[0].fields):
            # The corpus deals by its own parts, so it may have fewer speakers.
            num_sessions, conversations = min(num_sessions, len(genders)), ()
        try:
            return _sessions.deal(genders, num_sessions=num_sessions, conversations=conversations)
        except ValueError as error:
            column = f"add the column {self.params.columns.session!r}"
            cure = f"lower corpus.num_sessions, or {column}"
            if len(genders) < MIN_SESSIONS:
                cure = f"set corpus.num_sessions: null and split.protocol: random, or {column}"
            raise CorpusError(f"{path}: {error}; {cure}") from error

    def _annotation(
        self,
        root: Path,
        row: _table.TableRow,
        genders: Mapping[str, Gender | None],
        sessions: Mapping[str, str] | None,
    ) -> Annotation:
        """Return what a row says; ValueError with the reason where a field is wrong."""
        fields, own_id, audio = row.fields, _id(row), _audio(row)
        scale = self.params.rating_scale
        speaker = fields["speaker"]
        session = fields["session"] if sessions is None else sessions.get(speaker)
        scripted = fields.get("scripted", "").lower()
        if not recordings.is_file(root / audio):
            raise ValueError(f"a label without a recording: there is no file {audio}")
        if session == "":
            raise ValueError("session is empty")
        start_s, end_s = _times(fields)
        if scripted not in _TRUTHS:
            raise ValueError(f"scripted must be true, false or empty, got {scripted!r}")
        return Annotation(
            id=own_id,
            corpus=self.params.name,
            audio=audio,
            speaker=speaker,
            gender=genders[speaker],
            session=session,
            # What one recording holds was said in one conversation.
            dialogue=fields.get("dialogue") or (own_id if start_s is None else audio),
            scripted=_TRUTHS[scripted],
            text=fields.get("text") or None,
            label=fields.get("label") or _NO_LABEL,
            emotion=self._emotion(fields),
            valence=_rating(fields, "valence", scale),
            arousal=_rating(fields, "arousal", scale),
            dominance=_rating(fields, "dominance", scale),
            start_s=start_s,
            end_s=end_s,
            fold=fields.get("fold") or None,
            parts={ONLY_FOLD: fields["part"]} if fields.get("part") else None,
        )

    def _emotion(self, fields: Mapping[str, str]) -> str | None:
        if not self.params.emotions:
            return None
        return self.params.label_map.get(fields["label"], fields["label"])


def build(params: Params) -> Corpus:
    """Return the parser.

    Args:
        params: See `Params`.
    """
    return TableCorpus(params)


def _fault(row: _table.TableRow, required: Sequence[str]) -> str | None:
    """Return why a row names no recording, or None."""
    if empty := [column for column in required if not row.fields[column]]:
        return f"{', '.join(empty)} is empty"
    if not row.fields["path"].strip("/."):
        return f"path {row.fields['path']!r} is not a file's"
    return None


def _as_on_disk(root: Path, row: _table.TableRow) -> _table.TableRow:
    """Return a row with its path as the disk spells it: letters and their marks may be apart."""
    path = row.fields["path"]
    # Most paths are spelt in one way: the disk is asked once, not three times.
    spellings = dict.fromkeys((path, *(unicodedata.normalize(f, path) for f in ("NFC", "NFD"))))
    found = next((spelled for spelled in spellings if recordings.is_file(root / spelled)), path)
    return replace(row, fields={**row.fields, "path": found})


def _audio(row: _table.TableRow) -> str:
    return _plain_path(row.fields["path"])[0]


def _id(row: _table.TableRow) -> str:
    """Return the row's id, or its path without ending, and its times where it is a part."""
    fields = row.fields
    times = [time for time in (fields.get("start"), fields.get("end")) if time]
    return fields.get("id") or "_".join([_plain_path(fields["path"])[1], *times])


@lru_cache(maxsize=1 << 16)
def _plain_path(text: str) -> tuple[str, str]:
    """Return a path without needless parts, and the same without its ending."""
    path = PurePosixPath(text)
    return path.as_posix(), path.with_suffix("").as_posix()


def _refuse_half(path: Path, there: Mapping[str, str]) -> None:
    """Refuse one column of times without the other, and two columns that both deal to parts."""
    times = [there[column] for column in ("start", "end") if column in there]
    if len(times) == 1:
        raise CorpusError(
            f"{path}:1: column {times[0]} alone; a part of a recording needs a start and an end "
            f"(corpus.columns.start, .end), or pass it over: corpus.ignored_columns: {times}"
        )
    if {"part", "fold"} <= set(there):
        raise CorpusError(
            f"{path}:1: both {there['part']} and {there['fold']} say who is tested; name the one "
            f"that shall not in corpus.ignored_columns"
        )


def _conversations(rows: Sequence[_table.TableRow]) -> Iterable[Collection[str]]:
    """Return who talks in each dialogue, and in each recording that has parts."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        fields = row.fields
        dialogue = fields.get("dialogue") or (fields["path"] if fields.get("start") else "")
        if dialogue and fields["speaker"]:
            found[dialogue].add(fields["speaker"])
    return found.values()


def _times(fields: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Return start and end, in seconds; ValueError where only one of them is said."""
    start, end = fields.get("start", ""), fields.get("end", "")
    if start == end == "":
        return None, None
    try:
        return float(start), float(end)
    except ValueError as error:
        raise ValueError(
            f"start and end must be numbers of seconds, or both empty, got {start!r} and {end!r}"
        ) from error


def _rating(fields: Mapping[str, str], name: str, scale: tuple[float, float]) -> float | None:
    """Return a rating on the scale of the manifest."""
    text = fields.get(name, "")
    if text == "":
        return None
    low, high = scale
    rule = f"{name} must be a number in [{low:g}, {high:g}] (corpus.rating_scale), got {text!r}"
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(rule) from error
    if not low <= value <= high:  # a NaN fails both comparisons
        raise ValueError(rule)
    first, last = DIMENSION_RANGE
    # On the very scale of the manifest nothing is rounded.
    return (
        value if scale == DIMENSION_RANGE else first + (last - first) * (value - low) / (high - low)
    )


def _unlisted(root: Path, listed: set[str], *, table: str) -> list[Rejection]:
    """Return a rejection for each recording in the folder that no row names."""
    return [
        Rejection(id=PurePosixPath(path).name, audio=path, reason=f"no row of {table} names it")
        for path in recordings.below(root, root=root, suffixes=_SUFFIXES)
        if path not in listed
    ]
