"""Segments as other programs read them: text, CSV, JSON, RTTM and Audacity's labels."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ser.errors import AudioInputError
from ser.serving.prediction import Prediction
from ser.serving.segments import EmotionSegment


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of one recording, and who says it.

    Args:
        source: The recording, as it was named.
        model: Address or folder of the model.
        answered_by: See `ser.registry.identity.identity_of`.
        prediction: Of the whole and its windows.
        segments: In order.
    """

    source: str
    model: str
    answered_by: Mapping[str, Any]
    prediction: Prediction
    segments: tuple[EmotionSegment, ...]


def as_json(found: Described) -> str:
    """Return one line of JSON: the whole, its windows and its segments, and who answers."""
    described = {
        "file": found.source,
        "model": found.model,
        "answered_by": found.answered_by,
        **found.prediction.to_json(),
        "segments": [asdict(one) for one in found.segments],
    }
    return json.dumps(described) + "\n"


def as_text(found: Described) -> str:
    """Return lines for people: the whole, then a line per segment where there are several."""
    lines = [f"{found.source}: {_said(asdict(found.prediction.whole))}"]
    if len(found.segments) > 1:
        lines += [
            f"  {one.start_s:7.2f} to {one.end_s:7.2f} s: {_said(asdict(one))}"
            for one in found.segments
        ]
    return "\n".join(lines) + "\n"


def as_csv(found: Described) -> str:
    """Return a row per segment, without the header."""
    from ser.tables import guarded  # which brings pandas, and other formats need none

    rows = [list(map(guarded, _row(found, one).values())) for one in found.segments]
    return _csv_lines(rows)


def csv_header(found: Described) -> str:
    """Return the names of the columns of `as_csv`."""
    return _csv_lines([list(_row(found, found.segments[0]))])


def as_rttm(found: Described) -> str:
    """Return a line per segment in NIST's Rich Transcription Time Marked format.

    `SPEAKER file 1 start duration <NA> <NA> label confidence <NA>`: the label stands where a
    speaker's name would, which is how tools for diarisation read classes. Where nobody speaks the
    type is `NON-SPEECH`. White space within a name becomes `_`.
    """
    name = "_".join(Path(found.source).stem.split()) or "recording"
    return "".join(_rttm_line(name, one) for one in found.segments)


def as_audacity(found: Described) -> str:
    """Return a line per segment as Audacity imports labels: start, end and label, by tabs."""
    return "".join(f"{one.start_s:.6f}\t{one.end_s:.6f}\t{one.label}\n" for one in found.segments)


#: Name of a format -> what writes one recording in it.
FORMATS: Mapping[str, Callable[[Described], str]] = {
    "text": as_text,
    "csv": as_csv,
    "json": as_json,
    "rttm": as_rttm,
    "audacity": as_audacity,
}
#: Name of a format -> its media type; RTTM's and Audacity's have none of their own.
MEDIA_TYPES: Mapping[str, str] = {
    "text": "text/plain",
    "csv": "text/csv",
    "json": "application/json",
    "rttm": "text/plain",
    "audacity": "text/plain",
}
#: Ending of a file -> its format; of `.txt` there are two.
_ENDINGS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".rttm": "rttm"}
#: How files in these formats begin.
_BEGINNINGS = tuple(
    map(
        re.compile,
        (
            r".+: .+  \[.* \d\.\d\d",
            r"source,start_s,end_s,emotion,confidence,",
            r'\{"file": .+, "model": .+, "answered_by": \{',
            r"(SPEAKER|NON-SPEECH) \S+ 1 \d+\.\d{3} \d+\.\d{3} <NA> ",
            r"\d+\.\d{6}\t\d+\.\d{6}\t",
        ),
    )
)
_MAX_LINE = 4096


def format_of(name: str | None, out: Path | None, *, num_recordings: int) -> str:
    """Return the format that is asked for by name, or by the ending of a file.

    Args:
        name: Of a format; None: the ending decides, and without a file it is `text`.
        out: File to be written; None for none.
        num_recordings: How many are to be described.

    Raises:
        AudioInputError: There is no such format, the ending names none, or it takes one recording
            alone.
    """
    if name is not None and name not in FORMATS:
        raise AudioInputError(f"--format {name}: there are {', '.join(FORMATS)}")
    ending = "" if out is None else out.suffix.lower()
    chosen = name or ("text" if out is None else _ENDINGS.get(ending))
    if chosen is None:
        raise AudioInputError(
            f"--out {out}: its ending names no format; name it {', '.join(_ENDINGS)}, or say "
            f"--format {' or '.join(FORMATS)}"
        )
    if num_recordings > 1 and chosen == "audacity":
        raise AudioInputError(
            f"--format audacity: labels are of one recording, and there are {num_recordings}; "
            f"give them one by one, or take --format rttm or csv"
        )
    if num_recordings > 1 and chosen == "json" and ending == ".json":
        raise AudioInputError(
            f"--out {out}: a .json file is one object, and there are {num_recordings} recordings; "
            f"name it .jsonl"
        )
    return chosen


def is_ours(path: Path) -> bool:
    """Return whether a file begins as one that was written in a format of `FORMATS`."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline(_MAX_LINE)
    except (OSError, UnicodeDecodeError):
        return False
    return any(beginning.match(first) for beginning in _BEGINNINGS)


def written(found: Sequence[Described], name: str, *, headed: bool = True) -> str:
    """Return the text of recordings in a format.

    Args:
        found: At least one.
        name: Of `FORMATS`.
        headed: Whether the names of columns come first, where the format has them.
    """
    head = csv_header(found[0]) if name == "csv" and headed else ""
    return head + "".join(FORMATS[name](one) for one in found)


def _csv_lines(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _row(found: Described, one: EmotionSegment) -> dict[str, Any]:
    who = found.answered_by
    return {
        "source": found.source,
        **one.as_row(tuple(who["emotions"])),
        "model": who["name"] or who["cell"],
        "version": who["version"],
        "synthetic": who["synthetic"],
    }


def _rttm_line(name: str, one: EmotionSegment) -> str:
    place = f"{name} 1 {one.start_s:.3f} {one.end_s - one.start_s:.3f}"
    if one.confidence is None:
        return f"NON-SPEECH {place} <NA> other <NA> <NA> <NA>\n"
    label = "_".join(one.label.split())
    return f"SPEAKER {place} <NA> <NA> {label} {one.confidence:.3f} <NA>\n"


def _said(answer: Mapping[str, Any]) -> str:
    """Return what is said of a stretch, for people."""
    probabilities: dict[str, float] = answer["probabilities"] or {}
    shares = ", ".join(f"{name} {p:.2f}" for name, p in probabilities.items())
    heard = [
        f"{name.replace('_', ' ')} {answer[name]:.2f}"
        for name in ("speech_share", "familiarity")
        if answer[name] is not None
    ]
    said = answer["emotion"] or answer["reason"]
    if answer["reason"] == "unsure":
        said = f"not sure ({max(probabilities, key=lambda name: probabilities[name])}?)"
    details = "; ".join(filter(None, [shares, *heard]))
    return f"{said}  [{details}]" if details else f"{said}"
