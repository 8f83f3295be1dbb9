"""What the server answers, as types: its OpenAPI page and its answers come from the same ones."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from ser.data.limits import RecordingLimits
from ser.serving.abstention import Reason


class HeardStretch(BaseModel):
    """A stretch of a recording, and whether an emotion is heard in it."""

    start_s: float = Field(description="Where it begins, in seconds.")
    end_s: float = Field(description="Where it ends, in seconds.")
    emotion: str | None = Field(
        description="The most probable emotion; null where the model abstains."
    )
    abstained: bool = Field(description="No emotion is given.")
    reason: Reason | None = Field(description="Why no emotion is given; null where one is.")
    speech_share: float | None = Field(
        description="Share of the time in which somebody speaks, in [0, 1]."
    )
    familiarity: float | None = Field(
        description="Share of known speech that is at least as far from training, in (0, 1]."
    )


class StretchAnswer(HeardStretch):
    """What is heard in a stretch of a recording."""

    probabilities: Mapping[str, float] = Field(
        description="Emotion to calibrated probability, in sum 1; there also where it abstains."
    )


class SegmentAnswer(HeardStretch):
    """A stretch of a recording of which one thing is said."""

    confidence: float | None = Field(
        description="Probability of the most probable emotion; null where nobody speaks."
    )
    probabilities: Mapping[str, float] | None = Field(
        description="As of a recording, the mean over its time; null where nobody speaks."
    )


class Identity(BaseModel):
    """Which model answers."""

    name: str | None = Field(description="As registered; null where it is not.")
    version: str | int | None = Field(description="As registered; null where it is not.")
    cell: str = Field(description="Model and loss.")
    task: str = Field(description="Corpus, and classes where they are not its usual ones.")
    protocol: str = Field(description="How it was tested.")
    emotions: list[str] = Field(description="Its classes, in order.")
    bundle_sha256: str = Field(description="Digest of all that the model is.")
    synthetic: bool = Field(description="It learnt from synthetic speech: it knows no emotions.")


class RecordingAnswer(StretchAnswer):
    """What is heard in a recording: the whole, and its windows in order.

    A field with a default is there only where it was asked for, or the model has it.
    """

    windows: list[StretchAnswer] = Field(
        description="A long recording is heard in windows that overlap; else one, the whole."
    )
    answered_by: Identity
    run_key: str = Field(description="Of the training run.")
    synthetic: bool = Field(description="As in `answered_by`.")
    ratings: Mapping[str, float] | None = Field(
        None, description="Valence, arousal and dominance, 1 to 5, of a model that rates them."
    )
    segments: list[SegmentAnswer] | None = Field(
        None, description="With `format=json`: in order, without gaps, one where it is short."
    )
    files: Mapping[str, str] | None = Field(
        None,
        description="With `format=json`: each other format to the same segments in it.",
    )


class RefusalAnswer(BaseModel):
    """Why a request is not answered."""

    error_code: str = Field(description="MLflow's word for it.")
    message: str = Field(description="One sentence: what is wrong, and what to do.")


class HealthAnswer(BaseModel):
    """That the server is up and has its model."""

    status: Literal["ok"] = "ok"


class VersionAnswer(BaseModel):
    """What runs here."""

    ser: str = Field(description="VersionAnswer of this project.")
    mlflow: str = Field(description="VersionAnswer of MLflow.")
    model: Identity
    limits: RecordingLimits = Field(description="What one recording may be.")
