"""The trainable part of a speech transformer, pooled to one embedding per utterance.

This file holds all models of the family, see `ser.pretrained.architectures`. What is frozen
is the feature of the same name (`ser.features.extractors.speech_transformer`). The model
learns from the feature's params where the checkpoint was cut, and goes on from there; where
all of it is frozen, it learns which layers to listen to.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from ser.batch import FeatureSpec, HeadName, ModelOutput
from ser.contracts import Model
from ser.errors import ParamsError, WeightsError
from ser.nn.heads import Head, build_head
from ser.nn.network import Network
from ser.nn.pooling import Pooling, PoolingName, build_pooling
from ser.nn.transformer_bodies import Body, LayerMixture, PooledFrames, PooledSuffix
from ser.params import ComponentParams, Tunable
from ser.pretrained import checkpoints
from ser.pretrained.architectures import Architecture
from ser.pretrained.transformer import Freeze, Suffix, layers_above

NAMES = ("data2vec_audio", "hubert", "wav2vec2", "wavlm", "whisper")


class Params(ComponentParams):
    """What is put on top of the checkpoint, and how its own layers are trained.

    Args:
        pooling: `mean`, `stats` (mean and standard deviation) or `attention`, over the
            valid frames. Where all layers are frozen, `mean` or `stats` of the layers.
        attention_heads: Of the pooling `attention`: so many weightings over time, each of its
            own share of the frame's width, which they must divide.
        embedding_dim: Width of the embedding before the head; null takes the pooled
            frames themselves.
        dropout: Before the embedding, in [0, 1).
        hidden_dropout: Replaces all dropout rates inside the transformer, in [0, 1); null
            keeps the checkpoint's own.
        num_layers: Transformer layers above the cut that there are at all; null takes all of the
            checkpoint's. 0 pools the frames of the cut themselves, each number brought to mean 0
            and deviation 1 over the train part: nothing of the checkpoint is trained.
        frozen_layers: Transformer layers, counted from the cut upwards, that are not trained,
            nor is what lies below them. It gives what a feature cut so much higher gives, at
            the cost of computing them in every step: for trying depths before one is cut.
        gradient_checkpointing: Compute activations again in the backward pass instead of
            keeping them: less memory, a third more time.
    """

    pooling: PoolingName = "mean"
    attention_heads: int = Field(1, ge=1, le=64)
    embedding_dim: int | None = Field(256, ge=1, le=16_384)
    dropout: Annotated[float, Tunable(0.0, 0.5)] = Field(0.1, ge=0.0, lt=1.0)
    hidden_dropout: float | None = Field(None, ge=0.0, lt=1.0)
    num_layers: int | None = Field(None, ge=0, le=48)
    frozen_layers: Annotated[int, Tunable(0, 11, unit="layers")] = Field(0, ge=0, le=48)
    gradient_checkpointing: bool = False


class SpeechTransformerModel(Network):
    """Frames or summaries of a checkpoint -> body -> embedding -> head.

    Args:
        body: Features and lengths to one vector per utterance.
        head: Embedding to logits.
        embedding_dim: Width of the embedding; None takes the body's vector.
        dropout: Before the embedding, in [0, 1).
        origin: Where the checkpoint comes from.
    """

    def __init__(
        self,
        body: Body,
        head: Head,
        *,
        embedding_dim: int | None,
        dropout: float,
        origin: str,
    ) -> None:
        super().__init__()
        self.origin = origin
        self.normalises_inputs = body.normalises_inputs
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.embedding: nn.Module = nn.Identity()
        if embedding_dim is not None:
            # Squashed by tanh, not rectified: an embedding that cannot be negative would
            # confine a cosine head's angles to one orthant.
            self.embedding = nn.Sequential(nn.Linear(body.output_dim, embedding_dim), nn.Tanh())
        self.embedding_dim = body.output_dim if embedding_dim is None else embedding_dim
        self.head = head

    def forward(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify a batch; see `ser.contracts.Model`."""
        embedding = self.embedding(self.dropout(self.body(inputs, lengths)))
        return ModelOutput(embedding, self.head(embedding))

    def parameter_depth(self, name: str) -> int:
        """Return 0 for fresh weights, else how far down the transformer a parameter is."""
        inner = name.removeprefix("body.")
        return 0 if inner == name else self.body.parameter_depth(inner)

    def weighs_layers(self, name: str) -> bool:
        """Return True of the scores of a `LayerMixture`."""
        return isinstance(self.body, LayerMixture) and name == "body.scores"

    def layer_weights(self) -> list[float] | None:
        """Return what each frozen hidden state contributes, in sum 1; None with a suffix."""
        if not isinstance(self.body, LayerMixture):
            return None
        weights: list[float] = self.body.scores.detach().softmax(0).tolist()
        return weights


def params_class(architecture: Architecture) -> type[Params]:  # noqa: ARG001 (all are alike)
    """Return the class of a model's params."""
    return Params


def build(
    architecture: Architecture,
    params: Params,
    *,
    feature: FeatureSpec,
    num_classes: int,
    head: HeadName,
) -> Model:
    """Return the model that goes on where a feature of the same architecture ends.

    Args:
        architecture: Name of the model and of its feature.
        params: What is put on top.
        feature: The frozen part, of this architecture.
        num_classes: Width of the logits.
        head: What logits are.

    Raises:
        ParamsError: The feature is of another extractor, or leaves no frames to attend to.
        WeightsError: The feature's checkpoint is not here, or is not the one that the
            feature was extracted with.
    """
    _require_own_feature(architecture, feature.extractor)
    checkpoint, revision = feature.params["checkpoint"], feature.params["revision"]
    folder = checkpoints.locate(checkpoint, revision)
    found = checkpoints.digest(folder)
    if found != feature.weights_sha256:
        raise WeightsError(
            f"{folder}: the checkpoint's SHA-256 is {found}, but the feature {architecture} was "
            f"extracted with {feature.weights_sha256}; run `dvc repro extract`"
        )
    body = _build_body(architecture, params, feature, folder)
    embedding_dim = params.embedding_dim
    return SpeechTransformerModel(
        body,
        build_head(head, embedding_dim=embedding_dim or body.output_dim, num_classes=num_classes),
        embedding_dim=embedding_dim,
        dropout=params.dropout,
        origin=checkpoints.origin(checkpoint, revision),
    )


def trains_transformer(
    architecture: Architecture,  # noqa: ARG001 (all are alike)
    params: Params,
    feature_params: Mapping[str, Any],
) -> bool:
    """Return whether layers of the checkpoint are trained; see `ser.components.Component`."""
    return feature_params["freeze"] != "all" and params.num_layers != 0


def inspect_feature(
    architecture: Architecture, params: Params, extractor: str, feature_params: Mapping[str, Any]
) -> None:
    """Refuse what `build` would refuse of a feature's cut; see `ser.components.Component`.

    Args:
        architecture: Name of the model.
        params: What is put on top.
        extractor: Name of the feature.
        feature_params: Its params.

    Raises:
        ParamsError, WeightsError, FileError: As `build`.
    """
    _require_own_feature(architecture, extractor)
    freeze = feature_params["freeze"]
    checkpoint, revision = feature_params["checkpoint"], feature_params["revision"]
    sizes = checkpoints.read_sizes(checkpoints.locate(checkpoint, revision), architecture)
    if freeze == "all":
        _refuse_what_needs_frames(architecture, params)
        return
    num_layers = layers_above(freeze, sizes.num_layers, params.num_layers, checkpoint)
    _refuse_frozen_layers(architecture, params, freeze, num_layers=num_layers)
    # The frames of the convolutions themselves are of another width, which config.json may leave
    # to transformers' defaults.
    if num_layers or freeze != "feature_encoder":
        _require_heads(architecture, params, sizes.hidden_size)


def _require_own_feature(architecture: Architecture, extractor: str) -> None:
    if extractor != architecture:
        raise ParamsError(
            f"models.{architecture} goes on where the feature {architecture} ends, got the "
            f"feature {extractor!r}; set feature: {architecture} in its cells"
        )


def _build_body(
    architecture: Architecture, params: Params, feature: FeatureSpec, folder: Path
) -> Body:
    if feature.params["freeze"] == "all":
        return _mixture(architecture, params, folder)
    if params.num_layers == 0:
        _refuse_frozen_layers(architecture, params, feature.params["freeze"], num_layers=0)
        return PooledFrames(_pooling(architecture, params, feature.num_bins))
    model = checkpoints.load(folder, architecture, dropout=params.hidden_dropout)
    suffix = Suffix(
        model,
        feature.params["freeze"],
        num_layers=params.num_layers,
        gradient_checkpointing=params.gradient_checkpointing,
    )
    _refuse_frozen_layers(
        architecture, params, feature.params["freeze"], num_layers=len(suffix.layers.layers)
    )
    pooling = _pooling(architecture, params, suffix.output_dim)
    return PooledSuffix(suffix, pooling, frozen_layers=params.frozen_layers)


def _mixture(architecture: Architecture, params: Params, folder: Path) -> LayerMixture:
    """Return the body where all of the checkpoint is frozen, and no frames are left."""
    _refuse_what_needs_frames(architecture, params)
    # Nothing of the network is needed, so transformers is not imported.
    sizes = checkpoints.read_sizes(folder, architecture)
    return LayerMixture(sizes.num_layers + 1, sizes.hidden_size, params.pooling)


def _refuse_what_needs_frames(architecture: Architecture, params: Params) -> None:
    if params.frozen_layers:
        raise ParamsError(
            f"models.{architecture}.frozen_layers is {params.frozen_layers}, but "
            f"features.{architecture}.freeze: all leaves no layer to train; write 0"
        )
    if params.num_layers is not None:
        raise ParamsError(
            f"models.{architecture}.num_layers is {params.num_layers}, but "
            f"features.{architecture}.freeze: all weights all layers; write null"
        )
    if params.pooling == "attention":
        raise ParamsError(
            f"models.{architecture}.pooling: attention needs frames, but "
            f"features.{architecture}.freeze is all, which keeps none; use mean or stats"
        )


def _refuse_frozen_layers(
    architecture: Architecture, params: Params, freeze: Freeze, *, num_layers: int
) -> None:
    if params.frozen_layers > num_layers:
        raise ParamsError(
            f"models.{architecture}.frozen_layers is {params.frozen_layers}, but only "
            f"{num_layers} layers lie above features.{architecture}.freeze: {freeze}"
        )


def _pooling(architecture: Architecture, params: Params, width: int) -> Pooling:
    _require_heads(architecture, params, width)
    return build_pooling(params.pooling, width, attention_heads=params.attention_heads)


def _require_heads(architecture: Architecture, params: Params, width: int) -> None:
    if width % params.attention_heads:
        raise ParamsError(
            f"models.{architecture}.attention_heads is {params.attention_heads}, which does "
            f"not divide the width of the checkpoint's frames, {width}"
        )
