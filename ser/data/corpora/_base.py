"""What every corpus parser takes and returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import Field, field_validator

from ser import emotion
from ser.params import ComponentParams
from ser.utterance import Annotation, Rejection, Utterance


class CorpusParams(ComponentParams):
    """Params that every corpus shares; each parser's `Params` adds its `name` and knobs.

    Args:
        name: The parser's file name.
        emotions: The classes to tell apart, canonical names; other labels stay in the
            manifest with `emotion` null. Kept in canonical order whatever is written.
        max_rejected: More refused recordings than this stop the stage.
        min_duration_s: Shorter recordings are refused, in seconds.
        silence_dbfs: Recordings whose peak is below this are refused as silent, in dB
            relative to full scale.
    """

    name: str
    emotions: tuple[str, ...] = Field(emotion.EMOTIONS, min_length=2)
    max_rejected: int = Field(0, ge=0)
    min_duration_s: float = Field(0.1, ge=0.025)
    silence_dbfs: float = Field(-70.0, le=0.0)

    @field_validator("emotions")
    @classmethod
    def _canonical(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        return emotion.in_order(emotions)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a corpus' label files and folder listing say, before audio is opened.

    Args:
        annotations: One per labelled recording that exists, in any order; `emotion` is
            the canonical emotion of the whole vocabulary (narrowed to the study's
            classes by `ser.data.intake`).
        rejections: Labels without a recording, recordings without a label, lines that
            cannot be read, names that do not follow the corpus' rule.
    """

    annotations: tuple[Annotation, ...]
    rejections: tuple[Rejection, ...]


class Corpus(Protocol):
    """One corpus, as a stage sees it.

    Attributes:
        synthetic: True where no person spoke; every report then says so.
        licence: Under which terms the recordings may be used, one sentence.
        citation: What to cite, one sentence.
    """

    synthetic: bool
    licence: str
    citation: str

    def parse(self, root: Path) -> Parsed:
        """Read labels and file names below a root; raise CorpusError if it is no such corpus."""

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Raise CorpusError, listing what differs, unless the known counts are right."""
