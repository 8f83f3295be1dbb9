"""The params that all corpora share."""

from pydantic import Field, field_validator

from ser import emotion
from ser.params import ComponentParams


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
    min_duration_s: float = Field(0.1, ge=0.025, le=3600.0)
    silence_dbfs: float = Field(-70.0, ge=-1000.0, le=0.0)

    @field_validator("emotions")
    @classmethod
    def _canonical(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        return emotion.in_order(emotions)
