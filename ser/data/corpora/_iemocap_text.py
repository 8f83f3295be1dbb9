"""The line formats of IEMOCAP's label files and transcripts; a bad line costs that line only."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ser.emotion import DIMENSION_RANGE
from ser.utterance import Gender, Rejection

_log = logging.getLogger(__name__)

#: The release's labels; None where no canonical emotion says the same.
EMOTION_OF: dict[str, str | None] = {
    "ang": "angry",
    "dis": "disgusted",
    "exc": "happy",
    "fea": "fearful",
    "fru": "frustrated",
    "hap": "happy",
    "neu": "neutral",
    "oth": None,
    "sad": "sad",
    "sur": "surprised",
    "xxx": None,
}

#: What a rater may choose -> the label of that name, so that votes are mapped as labels are.
LABEL_OF_VOTE: dict[str, str] = {
    "Anger": "ang",
    "Disgust": "dis",
    "Excited": "exc",
    "Fear": "fea",
    "Frustration": "fru",
    "Happiness": "hap",
    "Neutral": "neu",
    "Other": "oth",
    "Sadness": "sad",
    "Surprise": "sur",
}

_GENDERS: dict[str, Gender] = {"F": "female", "M": "male"}

_ID = re.compile(
    r"(?P<dialogue>(?P<session>Ses0[1-5])[FM]_(?:impro\d\d[ab]?|script\d\d_\d[b]?))"
    r"_(?P<letter>[FM])\d{3}"
)
_TURN = re.compile(
    r"\[[\d.]+\s*-\s*[\d.]+\]\s+(?P<id>\S+)\s+(?P<label>\S+)\s+"
    r"\[(?P<valence>[\d.]+),\s*(?P<activation>[\d.]+),\s*(?P<dominance>[\d.]+)\]"
)
_RATER = re.compile(r"C-E\d+:\s*(?P<labels>[^(]*)")
_TRANSCRIPT = re.compile(r"(?P<id>\S+)\s+\[[\d.]+\s*-\s*[\d.]+\]:\s*(?P<text>.*)")

#: Categories carry self reports (`C-F1`) and actors' names too; only `C-E*` are raters.
_OTHER_RATINGS = ("C-", "A-")

#: Raters' tools spelt one category in two ways.
_VOTE_ALIASES = {"Neutral state": "Neutral"}


@dataclass(frozen=True, slots=True)
class UtteranceName:
    """What an utterance id says.

    Args:
        dialogue: Everything before the last `_`.
        session: `Ses01` .. `Ses05`.
        speaker: Session and the letter before the three digits. The letter after the
            session number is who wore the motion-capture markers in that dialogue, which
            is the other speaker in half of all utterances.
        gender: From the same letter.
        is_scripted: The dialogue was read from a script.
    """

    dialogue: str
    session: str
    speaker: str
    gender: Gender
    is_scripted: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One labelled turn of a dialogue.

    Args:
        id: The utterance's id.
        label: The release's label, unchanged.
        valence, arousal, dominance: Means over raters in [1, 5], or None where the
            release states a value outside the scale.
        votes: Rater's category -> number of votes; one rater may vote for several.
    """

    id: str
    label: str
    valence: float | None
    arousal: float | None
    dominance: float | None
    votes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a file: where it stands, and whether its bytes are UTF-8."""

    where: str
    text: str
    is_readable: bool


def parse_name(utterance_id: str) -> UtteranceName:
    """Return what an utterance id says.

    Args:
        utterance_id: E.g. `Ses01F_impro01_M003`.

    Returns:
        Dialogue, session, true speaker, gender and whether it was scripted.

    Raises:
        ValueError: The id does not follow the corpus' rule.

    Example:
        >>> parse_name("Ses01F_impro01_M003").speaker
        'Ses01M'
    """
    match = _ID.fullmatch(utterance_id)
    if match is None:
        raise ValueError(
            f"utterance id {utterance_id!r} does not follow Ses0N[FM]_<dialogue>_[FM]NNN"
        )
    session, letter, dialogue = match["session"], match["letter"], match["dialogue"]
    return UtteranceName(
        dialogue=dialogue,
        session=session,
        speaker=session + letter,
        gender=_GENDERS[letter],
        is_scripted="_script" in dialogue,
    )


def read_evaluation(path: Path, *, root: Path) -> tuple[list[Turn], list[Rejection]]:
    """Read the labels of one dialogue.

    Args:
        path: A file directly in `SessionN/dialog/EmoEvaluation`.
        root: The corpus root; rejections name files relative to it.

    Returns:
        The turns in file order, and one rejection per line that cannot be read.
    """
    lines, rejections = _read_lines(path, root=root)
    turns: list[Turn] = []
    current: Turn | None = None
    for line in lines:
        try:
            if line.text.startswith("["):
                current = None  # so that votes of an unreadable turn go to nobody
                current = _parse_turn(line, dialogue=path.stem)
                turns.append(current)
            elif current is not None:
                current.votes.update(_parse_votes(line.text))
        except ValueError as error:
            if line.is_readable:  # else it is on the list already
                rejections.append(Rejection(line.where, None, f"{line.where}: {error}"))
    return turns, rejections


def read_transcript(path: Path, *, root: Path) -> tuple[dict[str, str], list[Rejection]]:
    """Read the words of one dialogue.

    Lines that name no utterance are passed over: overlapping speech without a label
    (`Ses01F_impro01_MXX0`) and annotators' remarks, which do not begin with `Ses`.

    Args:
        path: A file in `SessionN/dialog/transcriptions`.
        root: The corpus root; rejections name files relative to it.

    Returns:
        Utterance id -> words, and one rejection per line that cannot be read.
    """
    lines, rejections = _read_lines(path, root=root)
    texts: dict[str, str] = {}
    for line in lines:
        if not line.text.startswith("Ses") or not line.is_readable:
            continue
        match = _TRANSCRIPT.fullmatch(line.text)
        if match is None:
            reason = f"{line.where}: expected '<turn> [start-end]: words', got {line.text!r}"
            rejections.append(Rejection(line.where, None, reason))
        elif _ID.fullmatch(match["id"]):
            texts[match["id"]] = match["text"].strip()
    return texts, rejections


def _read_lines(path: Path, *, root: Path) -> tuple[list[_Line], list[Rejection]]:
    """Return the non-empty lines; those that are not UTF-8 are rejected, and marked."""
    shown = path.relative_to(root).as_posix()
    try:
        content = path.read_bytes()
    except OSError as error:
        return [], [Rejection(shown, None, f"{shown}: cannot be read: {error.strerror}")]
    lines, rejections = [], []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        where = f"{shown}:{number}"
        try:
            line = _Line(where, raw.decode("utf-8").strip(), is_readable=True)
        except UnicodeDecodeError as error:
            line = _Line(where, raw.decode("utf-8", errors="replace").strip(), is_readable=False)
            reason = f"{where}: not UTF-8 text at byte {error.start} of the line: {line.text!r}"
            rejections.append(Rejection(where, None, reason))
        if line.text:
            lines.append(line)
    return lines, rejections


def _parse_turn(line: _Line, *, dialogue: str) -> Turn:
    match = _TURN.fullmatch(line.text) if line.is_readable else None
    if match is None:
        raise ValueError(
            "expected '[start - end] turn label [valence, activation, dominance]', "
            f"got {line.text!r}"
        )
    name = parse_name(match["id"])
    if name.dialogue != dialogue:
        raise ValueError(f"{match['id']!r} does not belong to dialogue {dialogue!r}")
    if match["label"] not in EMOTION_OF:
        known = ", ".join(EMOTION_OF)
        raise ValueError(
            f"{match['id']}: unknown label {match['label']!r}; expected one of {known}"
        )
    where = f"{line.where}: {match['id']}"
    return Turn(
        match["id"],
        match["label"],
        valence=_on_scale(match["valence"], dimension="valence", where=where),
        arousal=_on_scale(match["activation"], dimension="activation", where=where),
        dominance=_on_scale(match["dominance"], dimension="dominance", where=where),
    )


def _on_scale(number: str, *, dimension: str, where: str) -> float | None:
    """Return the value, or None (and a warning) where it is outside the scale.

    NOTE: some raters' lines lack dominance, so a mean below 1 is possible in the release.
    """
    value = float(number)
    low, high = DIMENSION_RANGE
    if low <= value <= high:
        return value
    _log.warning(
        "%s: %s %s is outside [%s, %s]: kept as unknown", where, dimension, value, low, high
    )
    return None


def _parse_votes(line: str) -> Iterator[str]:
    """Yield the categories of a rater's line; nothing for lines that are no rater's."""
    match = _RATER.match(line)
    if match is not None:
        for label in match["labels"].split(";"):
            words = " ".join(label.split())
            if words:
                yield _VOTE_ALIASES.get(words, words)
    elif not line.startswith((*_OTHER_RATINGS, "%")) or line.startswith("C-E"):
        raise ValueError(f"expected a turn, a rating or a comment, got {line!r}")
