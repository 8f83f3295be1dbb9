"""Tiny checkpoints with random weights, in the format of the published ones.

They take the place of licensed or large weights wherever only the machinery counts, and go
through the same loading. Their config.json says that they were drawn and not learnt.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from ser import files
from ser.params import Section
from ser.pretrained import checkpoint_files, checkpoints
from ser.pretrained.architectures import ARCHITECTURES, Architecture

if TYPE_CHECKING:
    from torch import nn

Norm = Literal["group", "layer"]


class TinyCheckpoint(Section):
    """A small network of a published architecture.

    Args:
        architecture: Which.
        seed: Of the weights.
        hidden_size: Width of the transformer.
        num_layers: Transformer layers.
        num_heads: Attention heads a layer.
        conv_dim: Width of the seven convolutions; their kernels and strides are those of
            the published checkpoints (a frame of 25 ms every 20 ms).
        norm: `group` as in the base checkpoints (the first convolution is normalised over
            time, layers normalise their output), or `layer` as in the large ones (every
            convolution is normalised over its channels, layers normalise their input).
            data2vec audio always has the former's layers and the latter's convolutions;
            Whisper has a log-mel front end and looks at neither this nor `conv_dim`.
    """

    architecture: Architecture
    seed: int = Field(0, ge=0, lt=2**32)
    hidden_size: int = Field(64, ge=8, le=1024)
    num_layers: int = Field(3, ge=1, le=48)
    num_heads: int = Field(4, ge=1, le=64)
    conv_dim: int = Field(64, ge=4, le=1024)
    norm: Norm = "group"

    @model_validator(mode="after")
    def _divisible(self) -> "TinyCheckpoint":
        if self.hidden_size % self.num_heads or self.hidden_size % _POSITION_GROUPS:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of num_heads "
                f"{self.num_heads} and of {_POSITION_GROUPS}"
            )
        return self


_POSITION_GROUPS = 4


def write(folder: Path, params: TinyCheckpoint) -> None:
    """Write a tiny checkpoint: config.json, model.safetensors, preprocessor_config.json.

    Args:
        folder: Where; made if it does not exist.
        params: What; the same params give the same bytes.
    """
    draw(folder, params.architecture, _settings(params), seed=params.seed, norm=params.norm)


def draw(
    folder: Path,
    architecture: Architecture,
    settings: Mapping[str, Any],
    *,
    seed: int,
    norm: Norm = "group",
) -> None:
    """Write a checkpoint of any size with random weights.

    Args:
        folder: Where; made if it does not exist.
        architecture: Which.
        settings: What differs from the defaults of transformers' config.
        seed: Of the weights.
        norm: See `TinyCheckpoint`.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    model_type = ARCHITECTURES[architecture].model_type
    config = AutoConfig.for_model(model_type, **settings, **{checkpoints.SEED_KEY: seed})
    with checkpoints.without_progress_bars(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(config, dtype=torch.float32)
        model = model.encoder if architecture == "whisper" else model
        _spread(model)
        model.save_pretrained(folder)
    files.write_json(folder / checkpoint_files.PREPROCESSING, _preprocessing(architecture, norm))


def _preprocessing(architecture: Architecture, norm: Norm) -> dict[str, Any]:
    common = {"padding_value": 0.0, "sampling_rate": 16000}
    if architecture == "whisper":
        return {**common, "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
    return {
        **common,
        "do_normalize": True,
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "return_attention_mask": norm == "layer",
    }


def _settings(params: TinyCheckpoint) -> dict[str, Any]:
    """Return what differs from the defaults of transformers' config."""
    if params.architecture == "whisper":
        return {
            "d_model": params.hidden_size,
            "encoder_layers": params.num_layers,
            "encoder_attention_heads": params.num_heads,
            "encoder_ffn_dim": 2 * params.hidden_size,
            "decoder_layers": 1,  # made and not written
            "decoder_ffn_dim": 2 * params.hidden_size,
            "decoder_attention_heads": params.num_heads,
            "vocab_size": 8,
            **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0),
            "decoder_start_token_id": 0,
        }
    settings = {
        "hidden_size": params.hidden_size,
        "num_hidden_layers": params.num_layers,
        "num_attention_heads": params.num_heads,
        "intermediate_size": 2 * params.hidden_size,
        "conv_dim": [params.conv_dim] * 7,
        "num_conv_pos_embedding_groups": _POSITION_GROUPS,
        "mask_time_prob": 0.0,
    }
    if params.architecture == "data2vec_audio":
        return {**settings, "conv_pos_kernel_size": 9, "num_conv_pos_embeddings": 2}
    return {
        **settings,
        "num_conv_pos_embeddings": 16,
        "feat_extract_norm": params.norm,
        "do_stable_layer_norm": params.norm == "layer",
        "conv_bias": params.norm == "layer",
    }


def _spread(model: "nn.Module") -> None:
    """Draw matrices at the scale that keeps a signal's size, in place of 0.02."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
