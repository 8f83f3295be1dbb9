"""Self-attention as the published layers have it, fast in training on a CPU, too.

torch's fused kernel for CPUs has no dropout of attention weights. Where a checkpoint has one,
torch falls back to a plain computation with guards against rows without any frame, which there
are not here, and with masks that are dear to draw (`ser.pretrained._dropout`).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ser.pretrained._dropout import dropped
from ser.pretrained._published import PublishedAttention


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    dropout: float,
    scale: float | None = None,
) -> Tensor:
    """Return scaled dot-product attention.

    Args:
        query: `(batch, num_heads, num_frames, head_dim)`.
        key: As `query`.
        value: As `query`.
        mask: True where a frame may be attended, or a bias to the scores; broadcastable to
            `(batch, num_heads, num_frames, num_frames)`. Each query has a frame to attend to.
            None: all frames may be.
        dropout: Of the attention weights, in [0, 1).
        scale: Of the scores; None: 1 / sqrt(head_dim).

    Returns:
        `(batch, num_heads, num_frames, head_dim)`.
    """
    if not dropout or query.device.type != "cpu":
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale
        )
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query if scale == 1.0 else query * scale) @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores + _bias_of(mask, scores)
    return dropped(scores.softmax(dim=-1), dropout) @ value


def _bias_of(mask: Tensor, scores: Tensor) -> Tensor:
    """Return a mask as what is added to the scores."""
    if mask.is_floating_point():
        return mask
    return scores.new_zeros(mask.shape).masked_fill(~mask, float("-inf"))


class SelfAttention(nn.Module):
    """Self-attention by `attend`; a layer of transformers can hold it.

    Args:
        attention: transformers' attention, whose parameters are taken over under the same
            names.
    """

    def __init__(self, attention: PublishedAttention) -> None:
        super().__init__()
        self.num_heads, self.dropout = attention.num_heads, attention.dropout
        self.q_proj, self.k_proj = attention.q_proj, attention.k_proj
        self.v_proj, self.out_proj = attention.v_proj, attention.out_proj

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None, **_: object
    ) -> tuple[Tensor, None]:
        """Attend; the arguments and the tuple are those of transformers' layers.

        Args:
            hidden_states: `(batch, num_frames, hidden_size)`.
            attention_mask: True where a frame may be attended `(batch, 1, 1, num_frames)`.
        """
        query, key, value = (
            heads_of(project(hidden_states), self.num_heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        dropout = self.dropout if self.training else 0.0
        attended = attend(query, key, value, attention_mask, dropout=dropout)
        return self.out_proj(attended.transpose(1, 2).flatten(2)), None


def heads_of(frames: Tensor, num_heads: int) -> Tensor:
    """Return frames `(batch, num_frames, dim)` as `(batch, num_heads, num_frames, head_dim)`."""
    return frames.view(*frames.shape[:2], num_heads, -1).transpose(1, 2)
