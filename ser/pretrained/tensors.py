"""Which tensors an architecture needs, told from its config.json alone.

So that a checkpoint can be looked at without importing torch and transformers, which takes
seconds. Names and shapes are those of transformers' models without a head; the tests
compare them with these models.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ser.errors import WeightsError
from ser.pretrained import checkpoint_files
from ser.pretrained.architectures import Architecture
from ser.pretrained.whisper_config import EncoderConfig

Shapes = Mapping[str, tuple[int, ...]]
_Tensors = Iterator[tuple[str, tuple[int, ...]]]

#: What transformers takes for a key that a config.json leaves out, alike in the family.
_DEFAULTS: Mapping[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "conv_dim": (512,) * 7,
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_bias": False,
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "num_conv_pos_embedding_groups": 16,
    "conv_pos_batch_norm": False,
    "do_stable_layer_norm": False,
    "adapter_attn_dim": None,
    "num_buckets": 320,
    "conv_pos_kernel_size": 19,
}
#: Kernel of one convolution of positions, or the number of stacked ones.
_POSITIONS: Mapping[Architecture, int] = {
    "data2vec_audio": 5,
    "hubert": 128,
    "wav2vec2": 128,
    "wavlm": 128,
}
#: A checkpoint with a head has a name of the body before those of its tensors; Whisper's
#: encoder has one beside its decoder, or where it was cut out.
_BODY = re.compile(r"^(data2vec_audio|hubert|wav2vec2|wavlm)\.")
_WHISPER_BODY = re.compile(r"^(model\.)?encoder\.")
#: As files before torch 2.1 name the two parts of a normalised weight.
_RENAMED = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}
_MAX_NAMED = 4


def require(folder: Path, architecture: Architecture, config: Mapping[str, Any]) -> bool:
    """Refuse a checkpoint that lacks tensors, or has them in other shapes.

    Args:
        folder: From `ser.pretrained.checkpoints.locate`.
        architecture: What it must be.
        config: Its config.json.

    Returns:
        Whether they were looked at: the tensors of a pickle are known when it is loaded.

    Raises:
        WeightsError: Names the first of them; or config.json describes no such network.
    """
    weights = checkpoint_files.weights_of(folder)
    if weights is None or not weights.is_safetensors:
        return False
    try:
        needed = expected(architecture, config)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{folder / checkpoint_files.CONFIG}: it describes no {architecture} ({error}); "
            f"{checkpoint_files.CURE}"
        ) from error
    found: dict[str, tuple[int, ...]] = {}
    for name in weights.shards:
        found |= checkpoint_files.shapes_in(folder / name)
    body = _WHISPER_BODY if architecture == "whisper" else _BODY
    _compare(folder / weights.names[0], needed, _as_loaded(found, body))
    return True


def expected(architecture: Architecture, config: Mapping[str, Any]) -> Shapes:
    """Return name -> shape of the tensors of a network without any head.

    Args:
        architecture: Which.
        config: Its config.json; a key that is missing has transformers' default.

    Raises:
        ValueError: Sizes do not fit each other.
        TypeError: A size is no number.
    """
    if architecture == "whisper":
        return dict(_whisper(EncoderConfig.of(config)))
    told = {**_DEFAULTS, "num_conv_pos_embeddings": _POSITIONS[architecture], **config}
    for parts in ("num_attention_heads", "num_conv_pos_embedding_groups"):
        if told["hidden_size"] % told[parts]:
            raise ValueError(
                f"hidden_size {told['hidden_size']} is no multiple of {parts} {told[parts]}"
            )
    tensors = (
        _convolutions(architecture, told),
        _projection(architecture, told),
        _positions(architecture, told),
        _norm("encoder.layer_norm", told["hidden_size"]),
        *(_layer(architecture, told, number) for number in range(told["num_hidden_layers"])),
    )
    return dict(tensor for part in tensors for tensor in part)


def _whisper(config: EncoderConfig) -> _Tensors:
    size, inner = config.d_model, config.encoder_ffn_dim
    for name, width in (("conv1", config.num_mel_bins), ("conv2", size)):
        yield f"{name}.weight", (size, width, 3)
        yield f"{name}.bias", (size,)
    yield "embed_positions.weight", (config.max_source_positions, size)
    for number in range(config.encoder_layers):
        layer = f"layers.{number}"
        yield f"{layer}.self_attn.k_proj.weight", (size, size)  # it alone has no bias
        for projection in ("q_proj", "v_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{projection}", size, size)
        yield from _norm(f"{layer}.self_attn_layer_norm", size)
        yield from _linear(f"{layer}.fc1", inner, size)
        yield from _linear(f"{layer}.fc2", size, inner)
        yield from _norm(f"{layer}.final_layer_norm", size)
    yield from _norm("layer_norm", size)


def _convolutions(architecture: Architecture, config: Mapping[str, Any]) -> _Tensors:
    widths = config["conv_dim"]
    is_data2vec = architecture == "data2vec_audio"
    for number, (width, kernel) in enumerate(zip(widths, config["conv_kernel"], strict=True)):
        name = f"feature_extractor.conv_layers.{number}"
        yield f"{name}.conv.weight", (width, widths[number - 1] if number else 1, kernel)
        if config["conv_bias"]:
            yield f"{name}.conv.bias", (width,)
        if number == 0 or is_data2vec or config["feat_extract_norm"] == "layer":
            yield from _norm(f"{name}.layer_norm", width)


def _projection(architecture: Architecture, config: Mapping[str, Any]) -> _Tensors:
    width = config["conv_dim"][-1]
    # HuBERT alone has this choice, and that of the normalisation of its positions.
    if architecture != "hubert" or config["feat_proj_layer_norm"]:
        yield from _norm("feature_projection.layer_norm", width)
    yield from _linear("feature_projection.projection", config["hidden_size"], width)


def _positions(architecture: Architecture, config: Mapping[str, Any]) -> _Tensors:
    size, kernel = config["hidden_size"], config["num_conv_pos_embeddings"]
    width = size // config["num_conv_pos_embedding_groups"]
    name = "encoder.pos_conv_embed"
    if architecture == "data2vec_audio":
        for number in range(kernel):
            one = f"{name}.layers.{number}.conv"
            yield f"{one}.weight", (size, width, config["conv_pos_kernel_size"])
            yield f"{one}.bias", (size,)
        return
    yield f"{name}.conv.bias", (size,)
    if architecture == "hubert" and config["conv_pos_batch_norm"]:
        yield f"{name}.conv.weight", (size, width, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.batch_norm.{part}", (size,)
    else:
        yield f"{name}.conv.{_RENAMED['weight_g']}", (1, 1, kernel)
        yield f"{name}.conv.{_RENAMED['weight_v']}", (size, width, kernel)


def _layer(architecture: Architecture, config: Mapping[str, Any], number: int) -> _Tensors:
    size, inner = config["hidden_size"], config["intermediate_size"]
    name = f"encoder.layers.{number}"
    for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
        yield from _linear(f"{name}.attention.{projection}", size, size)
    if architecture == "wavlm":
        yield from _relative_positions(config, number)
    yield from _norm(f"{name}.layer_norm", size)
    yield from _linear(f"{name}.feed_forward.intermediate_dense", inner, size)
    yield from _linear(f"{name}.feed_forward.output_dense", size, inner)
    yield from _norm(f"{name}.final_layer_norm", size)
    adapter = config["adapter_attn_dim"] if config["do_stable_layer_norm"] else None
    if adapter is not None and architecture in ("hubert", "wav2vec2"):
        yield from _norm(f"{name}.adapter_layer.norm", size)
        yield from _linear(f"{name}.adapter_layer.linear_1", adapter, size)
        yield from _linear(f"{name}.adapter_layer.linear_2", size, adapter)


def _relative_positions(config: Mapping[str, Any], number: int) -> _Tensors:
    heads = config["num_attention_heads"]
    name = f"encoder.layers.{number}.attention"
    yield f"{name}.gru_rel_pos_const", (1, heads, 1, 1)
    yield from _linear(f"{name}.gru_rel_pos_linear", 8, config["hidden_size"] // heads)
    if number == 0:
        yield f"{name}.rel_attn_embed.weight", (config["num_buckets"], heads)


def _norm(name: str, size: int) -> _Tensors:
    yield f"{name}.weight", (size,)
    yield f"{name}.bias", (size,)


def _linear(name: str, outputs: int, inputs: int) -> _Tensors:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _as_loaded(found: Shapes, body: re.Pattern[str]) -> Shapes:
    """Return the tensors of files under the names that transformers gives them."""
    renamed = {}
    for name, shape in found.items():
        stem, _, last = body.sub("", name).rpartition(".")
        renamed[f"{stem}.{_RENAMED.get(last, last)}" if stem else last] = shape
    return renamed


def _compare(path: Path, needed: Shapes, found: Shapes) -> None:
    lacking = [name for name in needed if name not in found]
    if lacking:
        raise WeightsError(
            f"{path}: {len(lacking)} tensors are missing, which would stay random: "
            f"{_shortened(lacking)}"
        )
    other = [
        f"{name} {found[name]} in place of {shape}"
        for name, shape in needed.items()
        if found[name] != shape
    ]
    if other:
        raise WeightsError(
            f"{path}: {len(other)} tensors have another shape than config.json says: "
            f"{_shortened(other)}"
        )


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMED]) + (", ..." if names[_MAX_NAMED:] else "")
