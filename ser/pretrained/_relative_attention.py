"""WavLM's self-attention over torch's fused kernel, with the published parameters.

Its scores get a bias by the distance between two frames, gated by the query. transformers
has it in a form that always materialises the attention weights and warns about padding
masks; the sum is the same.

Source:
    Chen et al. (2022), "WavLM: large-scale self-supervised pre-training for full stack
    speech processing", section III-B.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.pretrained._attention import attend, heads_of
from ser.pretrained._published import RelativeAttention


class RelativePositions(nn.Module):
    """The bias by distance, which all layers share and the lowest layer owns.

    Args:
        attention: transformers' attention of the lowest layer.
        is_trainable: A parameter, or a buffer where the lowest layer is frozen.
    """

    weight: Tensor

    def __init__(self, attention: RelativeAttention, *, is_trainable: bool) -> None:
        super().__init__()
        weight = attention.rel_attn_embed.weight  # (num_buckets, num_heads)
        if is_trainable:
            self.weight = weight
        else:
            self.register_buffer("weight", weight.detach().clone())
        self.num_buckets = int(attention.num_buckets)
        self.max_distance = int(attention.max_distance)

    def forward(self, num_frames: int) -> Tensor:
        """Return the bias `(num_heads, num_frames, num_frames)`."""
        place = torch.arange(num_frames, device=self.weight.device)
        buckets = self._buckets(place.unsqueeze(0) - place.unsqueeze(1))
        bias: Tensor = F.embedding(buckets, self.weight)
        return bias.permute(2, 0, 1)

    def _buckets(self, distance: Tensor) -> Tensor:
        """Return bucket numbers: one per small distance, then logarithmically wider ones."""
        half = self.num_buckets // 2
        exact = half // 2
        length = distance.abs()
        scale = (half - exact) / math.log(self.max_distance / exact)
        far = exact + (torch.log(length.clamp(min=1).float() / exact) * scale).long()
        near = torch.where(length < exact, length, far.clamp(max=half - 1))
        return near + (distance > 0).long() * half


class GatedRelativeAttention(nn.Module):
    """Self-attention with a gated bias by distance; a layer of transformers can hold it.

    Args:
        attention: transformers' attention, whose parameters are taken over under the same
            names.
    """

    def __init__(self, attention: RelativeAttention) -> None:
        super().__init__()
        self.num_heads, self.dropout = attention.num_heads, attention.dropout
        self.q_proj, self.k_proj = attention.q_proj, attention.k_proj
        self.v_proj, self.out_proj = attention.v_proj, attention.out_proj
        self.gru_rel_pos_linear = attention.gru_rel_pos_linear
        self.gru_rel_pos_const = attention.gru_rel_pos_const

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None,
        position_bias: Tensor,
        **_: object,
    ) -> tuple[Tensor, None, Tensor]:
        """Attend; the arguments and the tuple are those of transformers' layers.

        Args:
            hidden_states: `(batch, num_frames, hidden_size)`.
            attention_mask: True where a frame may be attended `(batch, 1, 1, num_frames)`.
            position_bias: From `RelativePositions`.
        """
        query, key, value = (
            heads_of(project(hidden_states), self.num_heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias = self._gate(heads_of(hidden_states, self.num_heads)) * position_bias
        if attention_mask is not None:
            bias = bias.masked_fill(~attention_mask, float("-inf"))
        dropout = self.dropout if self.training else 0.0
        attended = attend(query, key, value, bias.to(query.dtype), dropout=dropout)
        return self.out_proj(attended.transpose(1, 2).flatten(2)), None, position_bias

    def _gate(self, heads: Tensor) -> Tensor:
        """Return how much of the bias each query takes `(batch, num_heads, num_frames, 1)`."""
        gates: Tensor = self.gru_rel_pos_linear(heads)
        gates = gates.view(*heads.shape[:3], 2, 4).sum(dim=-1).sigmoid()
        gate_a, gate_b = gates.chunk(2, dim=-1)
        gate: Tensor = gate_a * (gate_b * self.gru_rel_pos_const - 1.0) + 2.0
        return gate
