"""The records that travel from a corpus on disk to the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Gender = Literal["female", "male"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a corpus says about one utterance, before its audio is opened.

    Args:
        id: Unique in the corpus, e.g. `Ses01F_impro01_F000`.
        corpus: Name of the corpus' parser.
        audio: Path of the recording relative to the corpus root, `/`-separated.
        speaker: Who speaks; unique in the corpus (`Ses01F`, `03`).
        gender: The speaker's gender as the corpus states it.
        session: The recording session, the unit of the `session` protocol.
        dialogue: The conversation; an isolated utterance is its own dialogue.
        scripted: Read from a script (True), improvised (False), or not stated (None).
        text: The words spoken, or None.
        label: The corpus' own label, unchanged.
        emotion: Canonical emotion, or None where the label is not one of the study's.
        valence, arousal, dominance: Means over raters in [1, 5], or None.
        votes: Rater label -> number of votes, or None.
    """

    id: str
    corpus: str
    audio: str
    speaker: str
    gender: Gender
    session: str
    dialogue: str
    scripted: bool | None
    text: str | None
    label: str
    emotion: str | None
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    votes: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance(Annotation):
    """One line of the manifest: an annotation and the recording it is pinned to.

    Args:
        sha256: Of the audio file's bytes, hexadecimal.
        num_samples: Per channel, at the file's own rate.
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
            the canonical emotion of the whole vocabulary (narrowed to the study's
            classes by `ser.data.intake`).
        rejections: Labels without a recording, recordings without a label, lines that
            cannot be read, names that do not follow the corpus' rule.
        vote_emotions: Rater's label -> canonical emotion, as labels are mapped; votes for a
            label that is not here are for none. Empty where there are no votes.
    """

    annotations: tuple[Annotation, ...]
    rejections: tuple[Rejection, ...]
    vote_emotions: Mapping[str, str] = field(default_factory=dict)
