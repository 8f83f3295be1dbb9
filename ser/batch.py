"""What travels between features, model and loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

HeadName = Literal["linear", "cosine"]
"""What logits are: a linear map of the embedding, or its cosines with learnt prototypes."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a model is told of the features that it reads.

    A frozen prefix is a feature, so a pretrained model learns here which half of its
    checkpoint has been applied already.

    Args:
        extractor: Their name.
        num_bins: Width of a frame.
        params: The extractor's params.
        weights_sha256: Digest of the checkpoint they were made with, or None.
    """

    extractor: str
    num_bins: int
    params: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Utterances padded to the longest of them.

    Args:
        ids: Utterance ids, in the order of the rows.
        inputs: Features `(batch, num_frames, num_bins)`, float32; frames at and beyond a
            row's length are zero and must not change any answer.
        lengths: Valid frames per row `(batch,)`, int64, each in [1, num_frames].
        labels: Class indices `(batch,)`, int64.
        ratings: Valence, arousal and dominance `(batch, 3)`, float32, in points of their
            scale, [1, 5]; NaN where an utterance has no rating. None where nobody asks.
        shares: Each class' share of the raters' votes `(batch, num_classes)`, float32, rows
            in sum 1. None where the labels are learnt.
    """

    ids: tuple[str, ...]
    inputs: Tensor
    lengths: Tensor
    labels: Tensor
    ratings: Tensor | None = None
    shares: Tensor | None = None

    @property
    def truth(self) -> Tensor:
        """What a loss learns of the classes: the shares, or the labels where there are none."""
        return self.labels if self.shares is None else self.shares

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch with its tensors on a device."""
        return Batch(
            self.ids,
            self.inputs.to(device, non_blocking=True),
            self.lengths.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            None if self.ratings is None else self.ratings.to(device, non_blocking=True),
            None if self.shares is None else self.shares.to(device, non_blocking=True),
        )


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What every model returns.

    Args:
        embedding: One vector per utterance `(batch, embedding_dim)`, before the head.
        logits: Class scores before softmax `(batch, num_classes)`; for a cosine head the
            cosines between embedding and prototypes, in [-1, 1].
        ratings: Valence, arousal and dominance `(batch, 3)`, in points of their scale, from
            a model that rates; else None.
    """

    embedding: Tensor
    logits: Tensor
    ratings: Tensor | None = None

    def to(self, device: torch.device) -> "ModelOutput":
        """Return the same output with its tensors on a device."""
        ratings = None if self.ratings is None else self.ratings.to(device)
        return ModelOutput(self.embedding.to(device), self.logits.to(device), ratings)


def valid_frames(lengths: Tensor, num_frames: int) -> Tensor:
    """Return the mask of frames that are speech, not padding.

    Args:
        lengths: Valid frames per row `(batch,)`.
        num_frames: Width of the padded batch.

    Returns:
        Boolean `(batch, num_frames)`, True where the frame is valid.

    Example:
        >>> valid_frames(torch.tensor([1, 3]), 3).tolist()
        [[True, False, False], [True, True, True]]
    """
    return torch.arange(num_frames, device=lengths.device) < lengths.unsqueeze(1)
