"""A bidirectional LSTM over frames, pooled to one embedding per utterance.

Each direction is a plain `nn.LSTM` over padded frames: the backward one reads every row
reversed within its own length. The answer is that of packed sequences, but the fast
kernel for plain sequences is used, and padding has no way into a valid frame.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ser.batch import FeatureSpec, HeadName, ModelOutput
from ser.contracts import Model
from ser.nn.heads import Head, build_head
from ser.nn.network import Network
from ser.nn.pooling import Pooling, build_pooling
from ser.params import ComponentParams, Tunable


class Params(ComponentParams):
    """Sizes of the network.

    Args:
        hidden_size: Units per direction and layer.
        num_layers: Stacked bidirectional layers.
        pooling: `last` (final state of both directions), `mean`, `stats` (mean and
            standard deviation) or `attention`, over the valid frames.
        embedding_dim: Width of the embedding before the head.
        dropout: Between layers and before the embedding, in [0, 1).
    """

    hidden_size: int = Field(64, ge=1, le=4096)
    num_layers: int = Field(2, ge=1, le=8)
    pooling: Literal["last", "mean", "stats", "attention"] = "stats"
    embedding_dim: int = Field(64, ge=1, le=16_384)
    dropout: Annotated[float, Tunable(0.0, 0.5)] = Field(0.3, ge=0.0, lt=1.0)


def reverse_within_length(frames: Tensor, lengths: Tensor) -> Tensor:
    """Return rows reversed within their own lengths; padding stays where it is.

    Args:
        frames: `(batch, num_frames, dim)`.
        lengths: Valid frames per row `(batch,)`.

    Returns:
        Same shape; applying it twice gives the argument back.

    Example:
        >>> rows = torch.tensor([[[1.0], [2.0], [0.0]]])
        >>> reverse_within_length(rows, torch.tensor([2])).flatten().tolist()
        [2.0, 1.0, 0.0]
    """
    time = torch.arange(frames.shape[1], device=frames.device).unsqueeze(0)
    mirrored = lengths.unsqueeze(1) - 1 - time
    source = torch.where(mirrored >= 0, mirrored, time)  # (batch, num_frames)
    return frames.gather(1, source.unsqueeze(-1).expand_as(frames))


class BidirectionalLayer(nn.Module):
    """One LSTM layer in both directions: `num_bins` -> `2 * hidden_size`."""

    def __init__(self, num_bins: int, hidden_size: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(num_bins, hidden_size, batch_first=True)
        self.back = nn.LSTM(num_bins, hidden_size, batch_first=True)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return both directions' states `(batch, num_frames, 2 * hidden_size)`.

        On the CPU they are computed in float32 whatever the precision of training is.
        """
        # torch 2.11 asks oneDNN for a bfloat16 LSTM on every processor, and oneDNN, which lacks
        # one for processors without AVX-512, raises.
        with torch.autocast("cpu", enabled=False):
            ahead, _ = self.ahead(frames)
            back, _ = self.back(reverse_within_length(frames, lengths))
        return torch.cat([ahead, reverse_within_length(back, lengths)], dim=-1)


class LastState(nn.Module):
    """The final state of each direction: the last valid frame ahead, the first one back."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return `(batch, dim)` of `(batch, num_frames, dim)`."""
        rows = torch.arange(len(frames), device=frames.device)
        half = self.output_dim // 2
        return torch.cat([frames[rows, lengths - 1, :half], frames[:, 0, half:]], dim=-1)


class LstmModel(Network):
    """Frames -> stacked bidirectional LSTM -> pooling -> embedding -> head.

    Args:
        layers: The stack, first layer first.
        pooling: Frames and lengths to one vector; has `output_dim`.
        head: Embedding to logits.
        embedding_dim: Width of the embedding.
        dropout: After every layer, in [0, 1).
    """

    def __init__(
        self,
        layers: Sequence[BidirectionalLayer],
        pooling: LastState | Pooling,
        head: Head,
        *,
        embedding_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.pooling = pooling
        # Squashed by tanh, not rectified: an embedding that cannot be negative would
        # confine a cosine head's angles to one orthant.
        self.embedding = nn.Linear(pooling.output_dim, embedding_dim)
        self.head = head

    def forward(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify a batch; see `ser.contracts.Model`."""
        frames = inputs
        for layer in self.layers:
            frames = self.dropout(layer(frames, lengths))
        embedding = torch.tanh(self.embedding(self.pooling(frames, lengths)))
        return ModelOutput(embedding, self.head(embedding))


def build(params: Params, *, feature: FeatureSpec, num_classes: int, head: HeadName) -> Model:
    """Return the model for frames of any feature, with freshly drawn weights."""
    width = 2 * params.hidden_size
    widths = [feature.num_bins] + [width] * (params.num_layers - 1)
    return LstmModel(
        [BidirectionalLayer(width_in, params.hidden_size) for width_in in widths],
        LastState(width) if params.pooling == "last" else build_pooling(params.pooling, width),
        build_head(head, embedding_dim=params.embedding_dim, num_classes=num_classes),
        embedding_dim=params.embedding_dim,
        dropout=params.dropout,
    )
