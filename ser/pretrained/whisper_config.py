"""The sizes of Whisper's encoder, told from config.json alone, without torch."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from ser.params import Section, explain


class EncoderConfig(Section):
    """What config.json says of the encoder; the defaults are those of transformers.

    Args:
        d_model: Width of the transformer.
        encoder_layers, encoder_attention_heads, encoder_ffn_dim: Its layers, heads a layer, and
            width within a layer.
        num_mel_bins: Mel bands.
        max_source_positions: Frames that have a position.
        activation_function: Within a layer; all published checkpoints have this one.
        dropout, attention_dropout, activation_dropout: Rates in training: of hidden states, of
            attention weights, within a layer.
    """

    # The rest of the file is about the decoder.
    model_config = ConfigDict(extra="ignore")

    d_model: int = Field(384, ge=1)
    encoder_layers: int = Field(4, ge=1)
    encoder_attention_heads: int = Field(6, ge=1)
    encoder_ffn_dim: int = Field(1536, ge=1)
    num_mel_bins: int = Field(80, ge=1)
    max_source_positions: int = Field(1500, ge=1)
    activation_function: Literal["gelu"] = "gelu"
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    attention_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    activation_dropout: float = Field(0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _divisible(self) -> "EncoderConfig":
        if self.d_model % self.encoder_attention_heads:
            raise ValueError(
                f"d_model {self.d_model} is no multiple of encoder_attention_heads "
                f"{self.encoder_attention_heads}"
            )
        return self

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "EncoderConfig":
        """Return what a config.json says.

        Raises:
            ValueError: It describes no such encoder.
        """
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise ValueError(" ".join(explain(error).split())) from error

    def with_dropout(self, rate: float) -> "EncoderConfig":
        """Return it with all rates replaced."""
        names = ("dropout", "attention_dropout", "activation_dropout")
        return self.model_copy(update=dict.fromkeys(names, rate))
