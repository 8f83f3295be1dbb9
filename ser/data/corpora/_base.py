"""The params that all corpora share."""

from pathlib import PurePosixPath
from typing import ClassVar

from pydantic import Field, field_validator

from ser import emotion
from ser.data.limits import RecordingLimits
from ser.data.speech_kind import SpeechKind
from ser.params import ComponentParams


class CorpusParams(ComponentParams, RecordingLimits):
    """Params that every corpus shares; each parser's `Params` adds its `name` and knobs.

    What a recording may be is inherited.

    Args:
        name: The parser's file name.
        emotions: The classes to tell apart, canonical names; other labels stay in the
            manifest with `emotion` null. Kept in canonical order whatever is written.
        speech: `improvised` or `scripted` studies that speech alone, of a corpus that knows it;
            the other stays in the manifest with `emotion` null.
        fold_lists: Folder, in the corpus' folder, of lists in EmoBox's format that say who trains
            and who is tested, for `split.protocol: file`.
        max_rejected: More refused recordings than this stop the stage.
    """

    section: ClassVar[str] = "corpus"

    name: str
    emotions: tuple[str, ...] = Field(emotion.EMOTIONS, min_length=2)
    speech: SpeechKind = "all"
    fold_lists: str | None = Field(None, min_length=1, max_length=1000)
    max_rejected: int = Field(0, ge=0)
    min_duration_s: float = Field(0.1, ge=0.025, le=3600.0)

    @field_validator("emotions")
    @classmethod
    def _canonical(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        return emotion.in_order(emotions)

    @field_validator("fold_lists")
    @classmethod
    def _inside(cls, folder: str | None) -> str | None:
        return None if folder is None else inside(folder)


def inside(place: str) -> str:
    """Return a path inside the corpus' folder.

    Raises:
        ValueError: It leads out of the folder.
    """
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts or "\0" in place:
        raise ValueError("expected a path inside the corpus' folder")
    return place
