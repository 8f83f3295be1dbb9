"""What is used of a published network; the classes of transformers say less to a type checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


class Config(Protocol):
    """Sizes of a network, as its config.json has them.

    Attributes:
        hidden_size: Width of the transformer.
        num_hidden_layers: Its layers.
        conv_dim, conv_kernel, conv_stride: Width, kernel and stride of each convolution.
    """

    hidden_size: int
    num_hidden_layers: int
    conv_dim: Sequence[int]
    conv_kernel: Sequence[int]
    conv_stride: Sequence[int]


class Encoder(Protocol):
    """The transformer above the projection.

    Attributes:
        pos_conv_embed: Positions, from the hidden states.
        layer_norm: Before the first layer, or after the last one.
        dropout: Before the first layer.
        layers: The transformer layers, lowest first.
    """

    pos_conv_embed: nn.Module
    layer_norm: nn.Module
    dropout: nn.Module
    layers: nn.ModuleList


@dataclass(frozen=True, slots=True)
class Window:
    """How much a network hears at once that has learnt one position per frame.

    Args:
        num_samples: Of a waveform.
        num_frames: Of the transformer, for so many samples.
    """

    num_samples: int
    num_frames: int


class SpeechNetwork(Protocol):
    """A network without any head; one that hears a `Window` at a time has it as `window`.

    Attributes:
        config: Its sizes.
        name_or_path: Where it was loaded from.
        feature_extractor: The convolutions.
        feature_projection: From their output to the transformer's width.
        encoder: The transformer.
    """

    config: Config
    name_or_path: str
    feature_extractor: nn.Module
    feature_projection: nn.Module
    encoder: Encoder

    def save_pretrained(self, save_directory: Path, /) -> object:
        """Write config.json and model.safetensors into a folder."""


class PublishedAttention(Protocol):
    """Self-attention.

    Attributes:
        num_heads: Attention heads.
        dropout: Of the attention weights, in [0, 1).
        q_proj, k_proj, v_proj, out_proj: The projections.
    """

    num_heads: int
    dropout: float
    q_proj: nn.Module
    k_proj: nn.Module
    v_proj: nn.Module
    out_proj: nn.Module


class RelativeAttention(PublishedAttention, Protocol):
    """WavLM's self-attention.

    Attributes:
        num_buckets, max_distance: How distances between frames are told apart.
        rel_attn_embed: The bias per bucket and head; the lowest layer alone has it.
        gru_rel_pos_linear, gru_rel_pos_const: The gate of the bias.
    """

    num_buckets: int
    max_distance: int
    rel_attn_embed: nn.Embedding
    gru_rel_pos_linear: nn.Module
    gru_rel_pos_const: Tensor
