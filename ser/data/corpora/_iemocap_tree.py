"""The folders of an IEMOCAP release, from root to annotations, and the gate on its counts."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ser.data.corpora._iemocap_text import (
    EMOTION_OF,
    LABEL_OF_VOTE,
    Turn,
    parse_name,
    read_evaluation,
    read_transcript,
)
from ser.data.recordings import is_junk
from ser.errors import CorpusError
from ser.utterance import Annotation, Parsed, Rejection, Utterance

_log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=str | tuple[str, str])

RELEASE = "IEMOCAP_full_release"
SESSION_FOLDERS = tuple(f"Session{number}" for number in range(1, 6))
EVALUATION = "dialog/EmoEvaluation"
TRANSCRIPTS = "dialog/transcriptions"
RECORDINGS = "sentences/wav"

#: Labels that make up the four classes; `exc` is merged into happy.
FOUR_CLASS_LABELS = ("ang", "hap", "exc", "neu", "sad")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many utterances a corpus must have.

    Args:
        per_session: Session -> utterances of any label.
        per_label: Label -> utterances in the whole corpus.
        per_cell: (session, label) -> utterances, for the labels known per session.
    """

    per_session: Mapping[str, int]
    per_label: Mapping[str, int]
    per_cell: Mapping[tuple[str, str], int]

    def differences(self, found: Sequence[tuple[str, str]]) -> list[str]:
        """Return one sentence for each count that differs.

        Args:
            found: Session and label of every utterance.

        Returns:
            Sentences with expected and found number; empty where all is right.
        """
        four = sum(
            count for (_, label), count in self.per_cell.items() if label in FOUR_CLASS_LABELS
        )
        rows = [
            ("utterances in all", sum(self.per_session.values()), len(found)),
            (
                "utterances of the four classes (ang, hap + exc, neu, sad)",
                four,
                sum(label in FOUR_CLASS_LABELS for _, label in found),
            ),
            *_rows("session {}", self.per_session, Counter(session for session, _ in found)),
            *_rows("label {}", self.per_label, Counter(label for _, label in found)),
        ]
        known = {label for _, label in self.per_cell}
        cells = Counter((session, label) for session, label in found if label in known)
        rows += _rows("session {0[0]}, label {0[1]}", self.per_cell, cells)
        return [
            f"{what}: expected {expected}, found {count}"
            for what, expected, count in rows
            if expected != count
        ]


@dataclass(slots=True)
class IemocapCorpus:
    """A corpus in the shape of the IEMOCAP release.

    Args:
        name: Stated as `corpus` in every annotation.
        synthetic: True where no person spoke.
        licence: Under which terms the recordings may be used.
        redistributable: Whether a report may hold recordings.
        citation: What to cite.
        expected: The counts that `check` insists on; None accepts any.
        cure: What to do where the counts differ, one sentence.
        merge_excited: Map `exc` to happy, as is usual; else to excited.
        allow_partial: Accept a root that lacks some of the five sessions.
    """

    name: str
    synthetic: bool
    licence: str
    redistributable: bool
    citation: str
    expected: Counts | None
    cure: str
    merge_excited: bool = True
    allow_partial: bool = False

    def parse(self, root: Path) -> Parsed:
        """Read labels, transcripts and the list of recordings.

        Args:
            root: The folder that holds `Session1` .. `Session5`.

        Returns:
            Every labelled recording, whatever its label, and what was refused.

        Raises:
            CorpusError: The root is not a release; the message says what is missing.
        """
        annotations: list[Annotation] = []
        rejections: list[Rejection] = []
        for session in self._sessions(root):
            parsed = self._parse_session(session, root=root)
            annotations += parsed.annotations
            rejections += parsed.rejections
        silent = [item.id for item in annotations if item.text is None]
        if silent:
            _log.warning(
                "%s: %d utterances have no words in %s, the first is %s",
                root,
                len(silent),
                TRANSCRIPTS,
                silent[0],
            )
        emotions = {vote: self._emotion(label) for vote, label in LABEL_OF_VOTE.items()}
        said = {vote: emotion for vote, emotion in emotions.items() if emotion is not None}
        return Parsed(tuple(annotations), tuple(rejections), said)

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Compare the counts per session and label with the known ones.

        Args:
            utterances: Every utterance of the manifest. Labels are counted, since
                `emotion` may have been narrowed to the configured classes.

        Raises:
            CorpusError: Any count differs; the message lists all that do.
        """
        if self.expected is None:
            return
        differences = self.expected.differences(
            [(str(item.session), item.label) for item in utterances]
        )
        if differences:
            listed = "\n  ".join(differences)
            raise CorpusError(
                f"corpus {self.name!r} has other counts than it should:\n  {listed}\n{self.cure}"
            )

    def _sessions(self, root: Path) -> list[Path]:
        """Return the session folders, or raise CorpusError if this is no release."""
        present = [root / name for name in SESSION_FOLDERS if (root / name).is_dir()]
        if not present:
            hint = f"; link {root / RELEASE} instead" if (root / RELEASE).is_dir() else ""
            raise CorpusError(
                f"{root}: not the corpus {self.name!r}: looked for the folders Session1 .. "
                f"Session5, found none{hint}"
            )
        missing = [
            f"{session}/{part}"
            for session in SESSION_FOLDERS
            for part in (EVALUATION, RECORDINGS)
            if not (root / session / part).is_dir()
            and not (self.allow_partial and not (root / session).is_dir())
        ]
        if missing:
            raise CorpusError(
                f"{root}: not the whole corpus {self.name!r}: no folder {', '.join(missing)}. "
                f"{self.cure}"
            )
        return present

    def _parse_session(self, folder: Path, *, root: Path) -> Parsed:
        rejections: list[Rejection] = []
        turns: list[Turn] = []
        texts: dict[str, str] = {}
        # NOTE: not recursive; the sub-folders hold each rater's files in other formats.
        for path in _files(folder / EVALUATION, ".txt"):
            read_turns, refused = read_evaluation(path, root=root)
            turns += read_turns
            rejections += refused
        for path in _files(folder / TRANSCRIPTS, ".txt"):
            read_texts, refused = read_transcript(path, root=root)
            texts |= read_texts
            rejections += refused
        recordings = _recordings(folder / RECORDINGS, root=root)
        annotations = []
        for turn in turns:
            refusal = _refusal(turn, recordings, session=f"Ses0{folder.name[-1]}")
            if refusal is None:
                audio = recordings[_place(turn.id)]
                annotations.append(self._annotation(turn, audio, texts.get(turn.id)))
            else:
                rejections.append(refusal)
        labelled = {_place(turn.id) for turn in turns}
        rejections += (
            Rejection(
                place.rpartition("/")[2],
                audio,
                f"{audio}: no readable label for it in {folder.name}/{EVALUATION}",
            )
            for place, audio in recordings.items()
            if place not in labelled
        )
        return Parsed(tuple(annotations), tuple(rejections))

    def _annotation(self, turn: Turn, audio: str, text: str | None) -> Annotation:
        name = parse_name(turn.id)
        return Annotation(
            id=turn.id,
            corpus=self.name,
            audio=audio,
            speaker=name.speaker,
            gender=name.gender,
            session=name.session,
            dialogue=name.dialogue,
            scripted=name.is_scripted,
            text=text or None,
            label=turn.label,
            emotion=self._emotion(turn.label),
            valence=turn.valence,
            arousal=turn.arousal,
            dominance=turn.dominance,
            votes=dict(sorted(turn.votes.items())) or None,
        )

    def _emotion(self, label: str) -> str | None:
        """Return what a label is mapped to."""
        is_apart = label == "exc" and not self.merge_excited
        return "excited" if is_apart else EMOTION_OF[label]


def _rows(
    what: str, expected: Mapping[Key, int], found: Mapping[Key, int]
) -> list[tuple[str, int, int]]:
    """Return (what, expected, found) for every key of either, sorted."""
    keys = sorted({*expected, *found}, key=str)
    return [(what.format(key), expected.get(key, 0), found.get(key, 0)) for key in keys]


def _place(utterance_id: str) -> str:
    """Return where a recording lies below sentences/wav, without its suffix."""
    return f"{parse_name(utterance_id).dialogue}/{utterance_id}"


def _refusal(turn: Turn, recordings: Mapping[str, str], *, session: str) -> Rejection | None:
    """Return why a labelled turn cannot be used, or None."""
    place = _place(turn.id)
    audio = recordings.get(place)
    if parse_name(turn.id).session != session:
        return Rejection(turn.id, audio, f"{turn.id}: its label lies in the folder of {session}")
    if audio is None:
        return Rejection(
            turn.id, None, f"{turn.id}: it has a label, but there is no {RECORDINGS}/{place}.wav"
        )
    return None


def _files(folder: Path, suffix: str) -> list[Path]:
    """Return the files directly in a folder that have a suffix, sorted, without junk."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix == suffix and not is_junk(path.name) and path.is_file()
    )


def _recordings(folder: Path, *, root: Path) -> dict[str, str]:
    """Return place -> path relative to the root of all recordings of a session."""
    return {
        f"{dialogue.name}/{path.stem}": path.relative_to(root).as_posix()
        for dialogue in sorted(folder.iterdir())
        if dialogue.is_dir()
        for path in _files(dialogue, ".wav")
    }
