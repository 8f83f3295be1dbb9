"""The params that all corpora share."""

from typing import ClassVar

from pydantic import Field, field_validator

from ser import emotion
from ser.data.limits import RecordingLimits
from ser.params import ComponentParams


class CorpusParams(ComponentParams, RecordingLimits):
    """Params that every corpus shares; each parser's `Params` adds its `name` and knobs.

    What a recording may be is inherited.

    Args:
        name: The parser's file name.
        emotions: The classes to tell apart, canonical names; other labels stay in the
            manifest with `emotion` null. Kept in canonical order whatever is written.
        max_rejected: More refused recordings than this stop the stage.
    """

    section: ClassVar[str] = "corpus"

    name: str
    emotions: tuple[str, ...] = Field(emotion.EMOTIONS, min_length=2)
    max_rejected: int = Field(0, ge=0)
    min_duration_s: float = Field(0.1, ge=0.025, le=3600.0)

    @field_validator("emotions")
    @classmethod
    def _canonical(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        return emotion.in_order(emotions)
