"""The sections of params.yaml that say how a registered model answers."""

from pydantic import Field

from ser.params import StageParams
from ser.registry.bundle import ServingParams
from ser.serving.audio_input import InputLimits


class AnswerParams(StageParams):
    """Sections read: serving, input_limits.

    Args:
        serving: How a registered model answers.
        input_limits: What a request to it may hold.
    """

    serving: ServingParams = Field(default_factory=ServingParams)
    input_limits: InputLimits = Field(default_factory=InputLimits)
