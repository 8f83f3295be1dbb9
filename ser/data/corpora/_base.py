"""The params that all corpora share."""

from pathlib import PurePosixPath
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ser import emotion
from ser.data.limits import RecordingLimits
from ser.data.speech_kind import SpeechKind
from ser.params import ComponentParams
from ser.wording import shown


class CorpusParams(ComponentParams, RecordingLimits):
    """Params that every corpus shares; each parser's `Params` adds its `name` and knobs.

    What a recording may be is inherited.

    Args:
        name: The parser's file name; of a corpus from a table, any name of one's own.
        emotions: The classes to tell apart; other labels stay in the manifest with `emotion`
            null. Whatever is written, `angry happy neutral sad` come first and in this order,
            then the others as they are written. Canonical names; of a corpus from a table,
            others too. Empty, nothing is told apart: ratings of valence, arousal and dominance
            are learnt, by `losses.ccc.targets: ratings`.
        speech: `improvised` or `scripted` studies that speech alone, of a corpus that knows it;
            the other stays in the manifest with `emotion` null.
        fold_lists: Folder, in the corpus' folder, of lists in EmoBox's format that say who trains
            and who is tested, for `split.protocol: file`.
        max_rejected: More refused recordings than this stop the stage.
    """

    section: ClassVar[str] = "corpus"
    #: Whether `emotions` may name classes that are not canonical.
    has_own_classes: ClassVar[bool] = False

    name: str
    emotions: tuple[str, ...] = emotion.EMOTIONS
    speech: SpeechKind = "all"
    fold_lists: str | None = Field(None, min_length=1, max_length=1000)
    max_rejected: int = Field(0, ge=0)
    min_duration_s: float = Field(0.1, ge=0.025, le=3600.0)

    @property
    def parser_name(self) -> str:
        """Name of the parser: the corpus' own, where it can be read in one way alone."""
        return self.name

    @field_validator("emotions")
    @classmethod
    def _named_and_ordered(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        if len(emotions) == 1:
            raise ValueError(
                f"{shown(emotions[0])} alone has nothing to be told from; name at least 2 classes, "
                f"or none to learn ratings"
            )
        if twice := sorted({name for name in emotions if emotions.count(name) > 1}):
            raise ValueError(f"{', '.join(map(shown, twice))} stands twice")
        if cls.has_own_classes:
            require_names(emotions)
        elif unknown := sorted(set(emotions) - set(emotion.VOCABULARY)):
            raise ValueError(
                f"unknown emotions {', '.join(map(shown, unknown))}; the canonical ones are "
                f"{', '.join(emotion.VOCABULARY)}"
            )
        return emotion.in_order(emotions)

    @model_validator(mode="after")
    def _speech_has_classes(self) -> Self:
        if self.speech != "all" and not self.emotions:
            raise ValueError(
                f"speech: {self.speech} sets the other half apart by its classes, and emotions is "
                f"empty; write `speech: all`"
            )
        return self

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


def require_names(emotions: tuple[str, ...]) -> None:
    """Refuse what no class can be called.

    Raises:
        ValueError: Names all that break the rule, and the rule.
    """
    if bad := [name for name in emotions if not emotion.is_name(name)]:
        raise ValueError(
            f"{', '.join(map(shown, bad))} cannot name a class; expected {emotion.NAME_RULE}"
        )
