"""data/manifest.jsonl and data/rejected.jsonl: write, read and validate."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser import emotion, files
from ser.errors import ManifestError
from ser.utterance import Rejection, Utterance
from ser.wording import cut, shown

#: The keys of every line, in their order.
KEYS: tuple[str, ...] = (
    "id", "corpus", "audio", "sha256", "num_samples", "sampling_rate", "duration_s",
    "speaker", "gender", "session", "dialogue", "scripted", "text", "label", "emotion",
    "valence", "arousal", "dominance", "votes",
)  # fmt: skip
#: Keys that follow where they say something: of a segment, of an utterance with its own parts.
OPTIONAL_KEYS: tuple[str, ...] = ("start_s", "end_s", "fold", "parts")
_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_TIME_S = 366 * 86400.0
_MAX_ROUNDING_S = 0.01


def write(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest: one JSON object a line, UTF-8, sorted by id.

    The same utterances give the same bytes; the file is replaced as a whole, or not at all.

    Args:
        path: Where to; its folder is created.
        utterances: In any order.

    Raises:
        ManifestError: An utterance breaks a rule, see `validate`.
    """
    ordered = sorted(utterances, key=lambda utterance: utterance.id)
    validate(ordered, where=str(path))
    _replace(path, (_record(utterance) for utterance in ordered))


def write_rejections(path: Path, rejections: Iterable[Rejection]) -> None:
    """Write what was refused: one JSON object a line, sorted by id, audio and reason.

    Args:
        path: Where to; its folder is created.
        rejections: In any order.
    """
    ordered = sorted(rejections, key=lambda item: (item.id, item.audio or "", item.reason))
    _replace(path, ({"id": r.id, "audio": r.audio, "reason": r.reason} for r in ordered))


def read(path: Path) -> list[Utterance]:
    """Read a manifest and check every line of it.

    Args:
        path: As written by `write`.

    Returns:
        The utterances, sorted by id.

    Raises:
        ManifestError: The file is missing or a line breaks a rule; the message names
            the line, the id, the value and the rule.
    """
    try:
        with path.open("rb") as lines:
            parsed = (
                _parse(line.removesuffix(b"\n"), where=f"{path}:{number}")
                for number, line in enumerate(lines, 1)
            )
            return [_utterance(record) for record in _checked(parsed, where=str(path))]
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such file; `dvc repro prepare` writes it") from error
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from error


def validate(utterances: Sequence[Utterance], *, where: str) -> None:
    """Check utterances against the rules of the manifest.

    Ids are unique and ascending; paths are relative; digests, counts, rates and
    durations are possible and agree; emotions can name a class; ratings are within [1, 5].

    Args:
        utterances: In the manifest's order.
        where: Named first in the error message, e.g. the file.

    Raises:
        ManifestError: The first rule that is broken, with position, id and value.
    """
    for _ in _checked(map(_record, utterances), where=where):
        pass


def _record(utterance: Utterance) -> dict[str, Any]:
    """Return one line's content, keys and votes in a fixed order."""
    record = {key: getattr(utterance, key) for key in (*KEYS, *OPTIONAL_KEYS)}
    for key in ("votes", "parts"):
        if record[key] is not None:
            record[key] = dict(sorted(record[key].items()))
    return {key: value for key, value in record.items() if key in KEYS or value is not None}


def _utterance(record: Mapping[str, Any]) -> Utterance:
    """Return the record of one checked line; JSON may have written 3.0 as 3."""
    numbers = {
        key: None if record[key] is None else float(record[key])
        for key in ("duration_s", "valence", "arousal", "dominance", "start_s", "end_s")
        if key in record
    }
    return Utterance(**{**record, **numbers})


def _replace(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines beside `path`, then move them into its place in one step."""
    with files.replacing(path) as part, part.open("wb") as file:
        for record in records:
            text = json.dumps(record, ensure_ascii=False) + "\n"
            # A file name that is not UTF-8 reaches us with lone surrogates: JSON spells them
            # \udcff.
            file.write(text.encode("utf-8", "backslashreplace"))


def _parse(line: bytes, *, where: str) -> dict[str, Any]:
    """Return one line's object; its keys are known, complete and said once."""
    try:
        record = _JSON.decode(line.decode("utf-8"))
    except (RecursionError, ValueError) as error:
        raise ManifestError(f"{where}: not a line of JSON: {cut(str(error), 400)}") from error
    if not isinstance(record, dict):
        raise ManifestError(f"{where}: expected an object, got {shown(record)}")
    missing = [key for key in KEYS if key not in record]
    unknown = sorted(set(record) - {*KEYS, *OPTIONAL_KEYS})
    if missing or unknown:
        raise ManifestError(
            f"{where}: utterance {shown(record.get('id'))}: missing keys {missing}, "
            f"unknown keys {shown(unknown)}; expected exactly {', '.join(KEYS)}, and "
            f"{', '.join(OPTIONAL_KEYS)} where they say something"
        )
    said = (key for key in OPTIONAL_KEYS if record.get(key) is not None)
    return {key: record[key] for key in (*KEYS, *said)}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a key that stands twice (json would silently keep the last)."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"a key stands twice among {shown(keys)}")
    return dict(pairs)


#: Made once: `json.loads` would make one for every line.
_JSON = json.JSONDecoder(object_pairs_hook=_once)


def _checked(records: Iterable[dict[str, Any]], *, where: str) -> Iterator[dict[str, Any]]:
    """Yield records; raise ManifestError at the first that breaks a rule."""
    previous = ""
    for number, record in enumerate(records, 1):
        fault = _fault(record, previous)
        if fault is not None:
            raise ManifestError(f"{where}:{number}: utterance {shown(record['id'])}: {fault}")
        previous = record["id"]
        yield record


def _fault(record: Mapping[str, Any], previous: str) -> str | None:
    """Return which rule a record breaks, or None."""
    for key, (holds, rule) in _RULES.items():
        if key in record and not holds(record[key]):
            return f"{key} must be {rule}, got {shown(record[key])}"
    duration_s = record["num_samples"] / record["sampling_rate"]
    if not math.isclose(record["duration_s"], duration_s, abs_tol=1e-3):
        return (
            f"duration_s must be num_samples / sampling_rate = {duration_s:g}, "
            f"got {record['duration_s']!r}"
        )
    if fault := _fault_of_segment(record):
        return fault
    if record["id"] == previous:
        return "the id stands twice; ids must be unique"
    if record["id"] < previous:
        return f"lines must be sorted by id, but {shown(previous)} is before"
    return None


def _fault_of_segment(record: Mapping[str, Any]) -> str | None:
    """Return what is wrong where a segment's times are not of its samples, or None."""
    if "start_s" not in record and "end_s" not in record:
        return None
    start_s, end_s = record.get("start_s", math.nan), record.get("end_s", math.nan)
    # A time may be rounded, and ends with the recording; see `ser.data.decoding`.
    if math.isclose(end_s - start_s, record["duration_s"], abs_tol=_MAX_ROUNDING_S):
        return None
    return (
        f"start_s and end_s must be duration_s = {record['duration_s']!r} apart, "
        f"got {shown(record.get('start_s'))} and {shown(record.get('end_s'))}"
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_relative_path(value: object) -> bool:
    if not isinstance(value, str) or value == "":
        return False
    return not value.startswith("/") and ".." not in value.split("/")


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_duration(value: object) -> bool:
    return _is_number(value, math.ulp(0.0), 86400.0)


def _is_time(value: object) -> bool:
    return _is_number(value, 0.0, _MAX_TIME_S)


def _is_parts(value: object) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(_is_text(text) for pair in value.items() for text in pair)


def _is_rating(value: object) -> bool:
    return value is None or _is_number(value, *emotion.DIMENSION_RANGE)


def _is_votes(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, Mapping) and all(
        _is_text(k) and _is_count(v) for k, v in value.items()
    )


_Rule = tuple[Callable[[object], bool], str]
_TEXT: _Rule = (_is_text, "text that is not empty")
_RATING: _Rule = (_is_rating, "a number in [1, 5], or null")
_RULES: Mapping[str, _Rule] = {
    "id": _TEXT,
    "corpus": _TEXT,
    "audio": (_is_relative_path, "a path inside the corpus' folder"),
    "sha256": (_is_sha256, "64 hexadecimal digits"),
    "num_samples": (_is_count, "a whole number > 0, below 2^53"),
    "sampling_rate": (_is_count, "a whole number of Hz > 0"),
    "duration_s": (_is_duration, "a number of seconds > 0, at most a day"),
    "speaker": _TEXT,
    "gender": (lambda value: value in ("female", "male", None), "female, male or null"),
    "session": (lambda value: value is None or _is_text(value), "text that is not empty, or null"),
    "dialogue": _TEXT,
    "scripted": (lambda value: value is None or isinstance(value, bool), "true, false or null"),
    "text": (lambda value: value is None or isinstance(value, str), "text or null"),
    "label": _TEXT,
    "emotion": (
        lambda value: value is None or emotion.is_name(value),
        f"null or {emotion.NAME_RULE}",
    ),
    "valence": _RATING,
    "arousal": _RATING,
    "dominance": _RATING,
    "votes": (_is_votes, "null, or whole numbers > 0 by rater label"),
    "start_s": (_is_time, "a number of seconds >= 0, within a year"),
    "end_s": (_is_time, "a number of seconds >= 0, within a year"),
    "fold": _TEXT,
    "parts": (_is_parts, "texts that are not empty, by fold"),
}
