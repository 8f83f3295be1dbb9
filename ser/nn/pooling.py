"""From frames to one vector per utterance; padded frames take no part."""

from typing import Literal

import torch
from torch import Tensor, nn

from ser.batch import valid_frames

PoolingName = Literal["mean", "stats", "attention"]

_EPSILON = 1e-6


class MeanPooling(nn.Module):
    """Mean over valid frames: `(batch, num_frames, dim)` -> `(batch, dim)`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the mean of each row's valid frames."""
        mask = valid_frames(lengths, frames.shape[1]).unsqueeze(-1)
        total = frames.masked_fill(~mask, 0.0).sum(dim=1)
        return total / lengths.unsqueeze(-1)


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over valid frames: dim -> 2 dim.

    The standard deviation is the biased one (1 / n), so a single frame gives zero.

    Source:
        Snyder et al. (2018), "X-vectors: robust DNN embeddings for speaker recognition".
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = 2 * dim

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return mean and standard deviation `(batch, 2 * dim)`."""
        mask = valid_frames(lengths, frames.shape[1]).unsqueeze(-1)
        count = lengths.unsqueeze(-1)
        mean = frames.masked_fill(~mask, 0.0).sum(dim=1) / count
        deviation = (frames - mean.unsqueeze(1)).masked_fill(~mask, 0.0)
        variance = deviation.square().sum(dim=1) / count
        # The slope of a square root is unbounded at zero: a single frame would give NaN.
        return torch.cat([mean, (variance + _EPSILON).sqrt()], dim=-1)


class AttentionPooling(nn.Module):
    """Weighted mean over valid frames; the weights are a learnt softmax over time.

    Args:
        dim: Width of a frame.
        num_heads: Several weightings, each of its own share of the frame's width; a divisor
            of `dim`.

    Source:
        Mirsamadi et al. (2017), "Automatic speech emotion recognition using recurrent
        neural networks with local attention", equation 7; for several heads India et al.
        (2019), "Self multi-head attention for speaker recognition", section 3.
    """

    def __init__(self, dim: int, num_heads: int = 1) -> None:
        super().__init__()
        self.output_dim, self.num_heads = dim, num_heads
        # No bias: it would move all scores alike, which a softmax does not see. A head scores
        # its own share of a frame.
        self.score = nn.Linear(dim // num_heads, num_heads, bias=False)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the weighted mean `(batch, dim)`."""
        mask = valid_frames(lengths, frames.shape[1]).unsqueeze(-1)
        shares = frames.masked_fill(~mask, 0.0).view(*frames.shape[:2], self.num_heads, -1)
        scores = (shares * self.score.weight).sum(dim=-1).masked_fill(~mask, float("-inf"))
        # Over time, for each head: `(batch, num_frames, num_heads, 1)`.
        weights: Tensor = scores.softmax(dim=1).unsqueeze(-1)
        return (shares * weights).sum(dim=1).flatten(1)


Pooling = MeanPooling | StatisticsPooling | AttentionPooling


def build_pooling(pooling: PoolingName, dim: int, *, attention_heads: int = 1) -> Pooling:
    """Return a pooling over frames of a width; its `output_dim` is the result's width."""
    if pooling == "attention":
        return AttentionPooling(dim, attention_heads)
    return MeanPooling(dim) if pooling == "mean" else StatisticsPooling(dim)
