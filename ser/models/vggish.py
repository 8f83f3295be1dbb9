"""VGGish over patches of 0.96 s, pooled to one embedding per utterance.

It reads `logmel`, and then the trunk is trained, from scratch or from published weights;
or `vggish`, the embeddings of a frozen trunk, and then only what lies above is trained.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser.batch import FeatureSpec, HeadName, ModelOutput
from ser.contracts import Model
from ser.errors import ParamsError
from ser.nn.heads import Head, build_head
from ser.nn.network import Network
from ser.nn.pooling import Pooling, PoolingName, build_pooling
from ser.params import Tunable
from ser.pretrained.vggish import (
    EMBEDDING_DIM,
    NO_WEIGHTS,
    Trunk,
    TrunkParams,
    load_published,
    require_file,
    trunk_name,
)
from ser.pretrained.vggish_frontend import PATCH_FRAMES, cut_patches, patch_starts


class Params(TrunkParams):
    """The trunk, and what lies above it. Over frozen embeddings the trunk's params rest.

    Args:
        batch_norm: Normalise after each convolution; published weights have none.
        train_patches: Patches drawn at random from an utterance in each training step;
            null takes all, `patch_hop` apart, as evaluation does.
        pooling: `mean`, `stats` (mean and standard deviation) or `attention`, over patches.
        embedding_dim: Width of the embedding before the head.
        dropout: Before the embedding, in [0, 1).
    """

    batch_norm: bool = False
    train_patches: int | None = Field(None, ge=1, le=64)
    pooling: PoolingName = "mean"
    embedding_dim: int = Field(128, ge=1, le=16_384)
    dropout: Annotated[float, Tunable(0.0, 0.5)] = Field(0.3, ge=0.0, lt=1.0)


class PatchTrunk(nn.Module):
    """A trunk over the patches of a batch; padding is never cut, so it is never seen.

    Args:
        trunk: Patches to embeddings.
        patch_hop: Frames from one patch to the next.
        train_patches: Patches drawn per utterance in training mode, or None for all.
        is_pretrained: The trunk starts from the weights of a file.
    """

    def __init__(
        self, trunk: Trunk, *, patch_hop: int, train_patches: int | None, is_pretrained: bool
    ) -> None:
        super().__init__()
        self.trunk, self.is_pretrained = trunk, is_pretrained
        self.patch_hop, self.train_patches = patch_hop, train_patches

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings of each utterance's patches.

        Args:
            inputs: Log-mel frames `(batch, num_frames, 64)`.
            lengths: Valid frames per row `(batch,)`.

        Returns:
            Embeddings `(batch, max_patches, 128)`, zero beyond a row's patches, and patches
            per row `(batch,)`.
        """
        patches = [
            cut_patches(frames[:length], self._starts(length))
            for frames, length in zip(inputs, lengths.tolist(), strict=True)
        ]
        counts = [len(row) for row in patches]
        # All patches at once: one call is faster, and batch statistics are of real patches.
        embeddings = self.trunk(torch.cat(patches)).split(counts)
        return (
            pad_sequence(embeddings, batch_first=True),
            torch.tensor(counts, device=inputs.device),
        )

    def _starts(self, length: int) -> list[int]:
        if not self.training or self.train_patches is None:
            return patch_starts(length, self.patch_hop)
        num_places = max(1, length - PATCH_FRAMES + 1)
        starts: list[int] = torch.randint(num_places, (self.train_patches,)).tolist()
        return starts

    def parameter_depth(self, name: str) -> int:
        """Return how far below the top a parameter lies; 0 where the trunk is fresh."""
        if not self.is_pretrained:
            return 0
        return self.trunk.parameter_depth(name.removeprefix("trunk."))


class VggishModel(Network):
    """Patch embeddings -> pooling -> embedding -> head.

    Args:
        patches: Frames to patch embeddings, or None where the features are those already.
        pooling: Patches and their number to one vector; has `output_dim`.
        head: Embedding to logits.
        embedding_dim: Width of the embedding.
        dropout: Before the embedding, in [0, 1).
        origin: Where the weights come from, for people.
    """

    def __init__(
        self,
        patches: PatchTrunk | None,
        pooling: Pooling,
        head: Head,
        *,
        embedding_dim: int,
        dropout: float,
        origin: str,
    ) -> None:
        super().__init__()
        self.embedding_dim, self.origin = embedding_dim, origin
        # Published weights were trained on log-mel values as they are.
        self.normalises_inputs = patches is None or not patches.is_pretrained
        self.patches = patches
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        # Squashed by tanh, not rectified: an embedding that cannot be negative would
        # confine a cosine head's angles to one orthant.
        self.embedding = nn.Linear(pooling.output_dim, embedding_dim)
        self.head = head

    def forward(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify a batch; see `ser.contracts.Model`."""
        if self.patches is not None:
            inputs, lengths = self.patches(inputs, lengths)
        return self._classify(inputs, lengths)

    def classify_patches(self, patches: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify utterances that are cut already, as a graph without loops wants them.

        Args:
            patches: `(batch, num_patches, 96, 64)`.
            lengths: Valid patches per row `(batch,)`.

        Raises:
            ValueError: The trunk is frozen, so there is none here.
        """
        if self.patches is None:
            raise ValueError("this model reads embeddings of patches, not patches")
        embeddings = self.patches.trunk(patches.flatten(0, 1))
        # Each size by itself: those of a slice of the shape would be fixed in a graph.
        rows = embeddings.view(patches.shape[0], patches.shape[1], -1)
        return self._classify(rows, lengths)

    def _classify(self, embeddings: Tensor, lengths: Tensor) -> ModelOutput:
        """Return what a batch of embeddings of patches `(batch, num_patches, 128)` says."""
        pooled = self.dropout(self.pooling(embeddings, lengths))
        embedding = torch.tanh(self.embedding(pooled))
        return ModelOutput(embedding, self.head(embedding))

    def parameter_depth(self, name: str) -> int:
        """Return the depth within a trunk with loaded weights; 0 of whatever is fresh."""
        prefix = "patches."
        if self.patches is None or not name.startswith(prefix):
            return 0
        return self.patches.parameter_depth(name.removeprefix(prefix))


def build(params: Params, *, feature: FeatureSpec, num_classes: int, head: HeadName) -> Model:
    """Return the model for frames of `logmel` or of `vggish`.

    Raises:
        ParamsError: The feature is another one, or its weights are not those of the params.
        WeightsError: The file of weights cannot be used.
    """
    if feature.extractor == "logmel":
        patches, origin = _trained_trunk(params)
    elif feature.extractor == "vggish":
        patches, origin = None, _frozen_origin(params, str(feature.weights_sha256), feature.params)
    else:
        raise _another_feature(feature.extractor)
    return VggishModel(
        patches,
        build_pooling(params.pooling, EMBEDDING_DIM),
        build_head(head, embedding_dim=params.embedding_dim, num_classes=num_classes),
        embedding_dim=params.embedding_dim,
        dropout=params.dropout,
        origin=origin,
    )


def inspect_feature(params: Params, extractor: str, feature_params: Mapping[str, Any]) -> None:
    """Refuse what `build` would refuse of a feature; see `ser.components.Component`.

    Raises:
        ParamsError: It is another one, or its weights are not those of the params.
    """
    if extractor not in ("logmel", "vggish"):
        raise _another_feature(extractor)
    said, own = feature_params.get("sha256"), params.sha256
    # Either may be the first digits alone.
    if extractor == "vggish" and said and own and not own.startswith(said):
        _frozen_origin(params, said, feature_params)


def _another_feature(extractor: str) -> ParamsError:
    return ParamsError(
        f"the model vggish reads the feature logmel (its trunk is trained) or vggish (its "
        f"trunk is frozen), got {extractor!r}; name one of them in the cell"
    )


def inspect_weights(params: Params) -> str:
    """Look at the file of weights without loading it; see `ser.components.Component`.

    Returns:
        Which one was found.

    Raises:
        WeightsError: It cannot be used.
    """
    if params.weights == NO_WEIGHTS or params.sha256 is None:
        return "from scratch"
    require_file(Path(params.weights), params.sha256)
    return params.weights


def _trained_trunk(params: Params) -> tuple[PatchTrunk, str]:
    """Return the trunk over patches, fresh or with loaded weights, and what it is called."""
    if params.weights == NO_WEIGHTS or params.sha256 is None:
        trunk = Trunk(
            width=params.width, batch_norm=params.batch_norm, final_relu=params.final_relu
        )
        origin = "from scratch"
    else:
        trunk = load_published(
            Path(params.weights),
            params.sha256,
            width=params.width,
            batch_norm=params.batch_norm,
            final_relu=params.final_relu,
        )
        origin = trunk_name(params.sha256, width=params.width)
    patches = PatchTrunk(
        trunk,
        patch_hop=params.patch_hop,
        train_patches=params.train_patches,
        is_pretrained=params.weights != NO_WEIGHTS,
    )
    return patches, origin


def _frozen_origin(params: Params, made_with: str, feature_params: Mapping[str, Any]) -> str:
    """Return what frozen embeddings were made with; refuse to be told of other weights."""
    if params.sha256 is not None and not made_with.startswith(params.sha256):
        raise ParamsError(
            f"models.vggish.sha256 is {params.sha256}, but the feature vggish was made with "
            f"weights of SHA-256 {made_with}; write the same file in both, or weights: none in "
            f"the model"
        )
    return f"{trunk_name(made_with, width=float(feature_params.get('width', 1.0)))}, frozen"
