"""The records that travel from a corpus on disk to the manifest."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

Gender = Literal["female", "male"]


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A part of a recording.

    Args:
        start_s, end_s: In seconds from the recording's beginning; 0 <= start_s < end_s.
    """

    start_s: float
    end_s: float

    def __str__(self) -> str:
        return f"{self.start_s:g} to {self.end_s:g} s"

    def overlaps(self, other: "Segment") -> bool:
        """Return whether both hold some of the same sound; what only touches does not."""
        return self.start_s < other.end_s and other.start_s < self.end_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a corpus says about one utterance, before its audio is opened.

    Args:
        id: Unique in the corpus, e.g. `Ses01F_impro01_F000`.
        corpus: Name of the corpus' parser.
        audio: Path of the recording relative to the corpus root, `/`-separated.
        speaker: Who speaks; unique in the corpus (`Ses01F`, `03`).
        gender: The speaker's gender as the corpus states it, or None.
        session: The recording session, the unit of the `session` protocol, or None.
        dialogue: The conversation; an isolated utterance is its own dialogue.
        scripted: Read from a script (True), improvised (False), or not stated (None).
        text: The words spoken, or None.
        label: The corpus' own label, unchanged.
        emotion: Of the study's classes, or None where the label is none of them.
        valence, arousal, dominance: Means over raters in [1, 5], or None.
        votes: Rater label -> number of votes, or None.
        start_s, end_s: Which part of the recording is the utterance, in seconds; both None where
            it is the whole.
        fold: The corpus' own fold, which tests the utterance; None where it has none.
        parts: The corpus' own word for the utterance's part in each of its folds, by fold; None
            where it has none.
    """

    id: str
    corpus: str
    audio: str
    speaker: str
    gender: Gender | None
    session: str | None
    dialogue: str
    scripted: bool | None
    text: str | None
    label: str
    emotion: str | None
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    votes: Mapping[str, int] | None = None
    start_s: float | None = None
    end_s: float | None = None
    fold: str | None = None
    parts: Mapping[str, str] | None = None

    @property
    def segment(self) -> Segment | None:
        """The part of the recording that is the utterance, or None for the whole."""
        if self.start_s is None or self.end_s is None:
            return None
        return Segment(self.start_s, self.end_s)

    @property
    def is_rated(self) -> bool:
        """Whether raters said something of one of the three dimensions."""
        return any(value is not None for value in (self.valence, self.arousal, self.dominance))


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance(Annotation):
    """One line of the manifest: an annotation and the recording it is pinned to.

    Args:
        sha256: Of the audio file's bytes, hexadecimal; of a segment, of its samples, see
            `ser.data.audio.Recording`.
        num_samples: Of the utterance, per channel, at the file's own rate.
        sampling_rate: Of the file, in Hz.
        duration_s: num_samples / sampling_rate, in seconds.
    """

    sha256: str
    num_samples: int
    sampling_rate: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """One recording or label that did not enter the manifest, and why.

    Args:
        id: The utterance's id, or the file's name where no id is known.
        audio: Path relative to the corpus root, or None where there is no file.
        reason: One sentence: what is wrong, the value, the rule.
    """

    id: str
    audio: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a corpus' label files and folder listing say, before audio is opened.

    Args:
        annotations: One per labelled recording that exists, in any order; `emotion` is
            any emotion that the parser knows (narrowed to the study's
            classes by `ser.data.intake`).
        rejections: Labels without a recording, recordings without a label, lines that
            cannot be read, names that do not follow the corpus' rule.
        vote_emotions: Rater's label -> canonical emotion, as labels are mapped; votes for a
            label that is not here are for none. Empty where there are no votes.
    """

    annotations: tuple[Annotation, ...]
    rejections: tuple[Rejection, ...]
    vote_emotions: Mapping[str, str] = field(default_factory=dict)


_Said = TypeVar("_Said", bound=Annotation)


def used_of(utterances: Iterable[_Said]) -> list[_Said]:
    """Return the utterances of a manifest that something is learnt of, in their order.

    They are those of one of the study's classes. In a manifest of no class, which is that of a
    corpus whose `corpus.emotions` is empty, they are those that are rated.
    """
    everyone = list(utterances)
    classed = [utterance for utterance in everyone if utterance.emotion is not None]
    return classed or [utterance for utterance in everyone if utterance.is_rated]


def ratings_of(said: Annotation) -> tuple[float, ...]:
    """Return valence, arousal and dominance in [1, 5], NaN where there is none."""
    values = (said.valence, said.arousal, said.dominance)
    return tuple(math.nan if value is None else float(value) for value in values)
