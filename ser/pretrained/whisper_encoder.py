"""Whisper's encoder as it is published, read from its files without transformers.

Module for module it has the names of transformers' `WhisperEncoder`, so that its tensors are
called as in the files, and computes what that computes, operation by operation. Of it a recording
needs nothing else, and to import it takes longer than to answer.

Source:
    Radford et al. (2023), "Robust speech recognition via large-scale weak supervision",
    section 2.2; layer by layer as in transformers 5 (Apache-2.0).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ser import files
from ser.pretrained._attention import attend, heads_of
from ser.pretrained._dropout import dropped
from ser.pretrained.checkpoint_files import CONFIG, SAFETENSORS, Weights
from ser.pretrained.whisper_config import EncoderConfig

#: Encoder's tensors in a published checkpoint, which holds the decoder, too -> in the encoder.
KEY_MAPPING = {r"^model\.encoder\.": "", r"^encoder\.": ""}
_BODY = re.compile("|".join(KEY_MAPPING))
#: What a published checkpoint holds besides: the decoder, and the head that writes words.
_OTHERS = re.compile(r"(model\.)?decoder\.|proj_out\.")


class Attention(nn.Module):
    """Self-attention with several heads; keys have no bias.

    Args:
        config: Sizes and rates.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.d_model
        self.num_heads = config.encoder_attention_heads
        self.head_dim = size // self.num_heads
        self.dropout = config.attention_dropout
        self.k_proj = nn.Linear(size, size, bias=False)
        self.v_proj = nn.Linear(size, size)
        self.q_proj = nn.Linear(size, size)
        self.out_proj = nn.Linear(size, size)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return what each frame takes from the others; see `Layer.forward`."""
        # Scaled here, as published, and not within the attention: that would round otherwise.
        scaled = self.q_proj(hidden) * self.head_dim**-0.5
        queries, keys, values = (
            heads_of(projected, self.num_heads).contiguous()
            for projected in (scaled, self.k_proj(hidden), self.v_proj(hidden))
        )
        attended = attend(
            queries,
            keys,
            values,
            attention_mask,
            dropout=self.dropout if self.training else 0.0,
            scale=1.0,
        )
        output: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return output


class Layer(nn.Module):
    """One layer of the transformer, which normalises its input.

    Args:
        config: Sizes and rates.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dropout, self.activation_dropout = config.dropout, config.activation_dropout
        self.self_attn = Attention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.d_model)
        self.fc1 = nn.Linear(config.d_model, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, config.d_model)
        self.final_layer_norm = nn.LayerNorm(config.d_model)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the states after this layer.

        Args:
            hidden: `(batch, num_frames, d_model)`.
            attention_mask: Which frames are attended to `(batch, 1, 1, num_frames)`; None: all.
        """
        attended = self.self_attn(self.self_attn_layer_norm(hidden), attention_mask)
        hidden = hidden + self._dropped(attended, self.dropout)
        inner = nn.functional.gelu(self.fc1(self.final_layer_norm(hidden)))
        outer = self.fc2(self._dropped(inner, self.activation_dropout))
        return hidden + self._dropped(outer, self.dropout)

    def _dropped(self, hidden: Tensor, rate: float) -> Tensor:
        return dropped(hidden, rate if self.training else 0.0)


class WhisperEncoder(nn.Module):
    """The modules of a checkpoint's encoder; `ser.pretrained.whisper` puts them in order.

    Args:
        config: Sizes and rates.
        folder: Where it was loaded from.
        settings: Its config.json.
    """

    def __init__(self, config: EncoderConfig, folder: Path, settings: Mapping[str, Any]) -> None:
        super().__init__()
        size = config.d_model
        self.config, self.name_or_path, self._settings = config, str(folder), dict(settings)
        self.conv1 = nn.Conv1d(config.num_mel_bins, size, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(size, size, kernel_size=3, stride=2, padding=1)
        # Drawn by nobody: to draw normal numbers on no device imports torch's compiler.
        positions = torch.empty(config.max_source_positions, size)
        self.embed_positions = nn.Embedding.from_pretrained(positions)  # type: ignore[no-untyped-call]
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.encoder_layers))
        self.layer_norm = nn.LayerNorm(size)

    def save_pretrained(self, folder: Path) -> tuple[Path, Path]:
        """Write config.json and model.safetensors into a folder, and return both."""
        folder.mkdir(parents=True, exist_ok=True)
        own = {"architectures": ["WhisperEncoder"], "dtype": "float32"}
        others = {key: value for key, value in self._settings.items() if key != "torch_dtype"}
        config, weights = (folder / name for name in (CONFIG, SAFETENSORS))
        files.write_json(config, {**others, **own})
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, weights, metadata={"format": "pt"})
        return config, weights


def build(
    settings: Mapping[str, Any], folder: Path, *, dropout: float | None = None
) -> WhisperEncoder:
    """Return an encoder without weights, on no device.

    Args:
        settings: Its config.json.
        folder: Where it lies.
        dropout: Replaces all rates; None keeps the checkpoint's own.

    Raises:
        ValueError: They describe no such encoder.
    """
    config = EncoderConfig.of(settings)
    with torch.device("meta"):
        chosen = config if dropout is None else config.with_dropout(dropout)
        return WhisperEncoder(chosen, folder, settings)


def fill(encoder: WhisperEncoder, folder: Path, weights: Weights) -> list[str]:
    """Give an encoder its weights, in float32.

    Args:
        encoder: From `build`.
        folder: Of the checkpoint.
        weights: Its files.

    Returns:
        Names of tensors that are missing, sorted; with any, the encoder cannot be used.

    Raises:
        ValueError: Tensors have other shapes; names the first.
        Exception: A file is damaged; whatever safetensors and torch raise.
    """
    tensors = {
        _BODY.sub("", name): tensor.float()
        for shard in weights.shards
        for name, tensor in _encoders(folder / shard, is_safetensors=weights.is_safetensors)
    }
    _require_shapes(encoder, tensors)
    result = encoder.load_state_dict(tensors, strict=False, assign=True)
    encoder.embed_positions.requires_grad_(False)
    return sorted(result.missing_keys)


def _require_shapes(encoder: WhisperEncoder, tensors: Mapping[str, Tensor]) -> None:
    other = [
        f"{name} {tuple(tensors[name].shape)} in place of {tuple(needed.shape)}"
        for name, needed in encoder.state_dict().items()
        if name in tensors and tensors[name].shape != needed.shape
    ]
    if other:
        more = f" and {len(other) - 1} more" if other[1:] else ""
        raise ValueError(f"its tensors are not as config.json says: {other[0]}{more}")


def _encoders(path: Path, *, is_safetensors: bool) -> Iterator[tuple[str, Tensor]]:
    """Yield name and tensor of what a file holds of an encoder."""
    if not is_safetensors:
        content = torch.load(path, map_location="cpu", weights_only=True)
        yield from ((name, found) for name, found in content.items() if not _OTHERS.match(name))
        return
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (no mapping)
            if not _OTHERS.match(name):
                yield name, file.get_tensor(name)
