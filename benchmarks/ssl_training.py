"""A speech transformer of a published size with random weights, and steps that train it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

from ser.emotion import EMOTIONS
from ser.features.batching import LengthBucketedBatches
from ser.models.speech_transformer import SpeechTransformerModel
from ser.nn.heads import build_head
from ser.nn.pooling import build_pooling
from ser.nn.transformer_bodies import PooledSuffix
from ser.pretrained.transformer import Freeze, Prefix, Suffix

SAMPLING_RATE = 16_000
BATCH_SIZE = 8
#: Where the published recipe cuts a recording off, in seconds.
CUT_OFF_S = 10.0
HOP_S = 0.02
SEED = 0
_EMBEDDING_DIM = 256
LEARNING_RATE = 1e-4
_LARGEST_NORM = 1.0

Step = Callable[[Sequence[int]], float]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the transformer is; the published base size, or one for a quick look.

    Args:
        settings: What differs from the base size of transformers' HubertConfig.
    """

    settings: dict[str, Any]


BASE = Size({})
TINY = Size(
    {
        "hidden_size": 32,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "conv_dim": [32] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    }
)


def config(size: Size) -> Any:
    """Return the configuration that all contestants share.

    Their dropout rates are the checkpoint's. LayerDrop and SpecAugment are off for all:
    one would make steps cheaper at random, the other is not part of the comparison.
    """
    from transformers import HubertConfig

    return HubertConfig(
        **size.settings,
        layerdrop=0.0,
        mask_time_prob=0.0,
        classifier_proj_size=_EMBEDDING_DIM,
        num_labels=len(EMOTIONS),
        attn_implementation="sdpa",
    )


def published_model(size: Size, freeze: Freeze) -> Any:
    """Return transformers' own classifier over waveforms, its lower part frozen.

    Args:
        size: Of the transformer.
        freeze: The feature encoder, or also this many layers.
    """
    from transformers import HubertForSequenceClassification

    torch.manual_seed(SEED)
    model = HubertForSequenceClassification(config(size))
    model.freeze_feature_encoder()
    if isinstance(freeze, int):
        lower = (model.hubert.feature_projection, model.hubert.encoder.pos_conv_embed)
        for module in (*lower, model.hubert.encoder.layer_norm):
            module.requires_grad_(False)
        model.hubert.encoder.layers[:freeze].requires_grad_(False)
    return model.train()


def suffix_model(size: Size, freeze: Freeze) -> SpeechTransformerModel:
    """Return the project's model of the same transformer above the cut."""
    suffix = Suffix(published_model(size, "feature_encoder").hubert.requires_grad_(True), freeze)
    body = PooledSuffix(suffix, build_pooling("mean", suffix.output_dim))
    head = build_head("linear", embedding_dim=_EMBEDDING_DIM, num_classes=len(EMOTIONS))
    model = SpeechTransformerModel(
        body, head, embedding_dim=_EMBEDDING_DIM, dropout=0.1, origin="random weights"
    )
    return model.train()


def prefix_model(size: Size, freeze: Freeze) -> Prefix:
    """Return the frozen part of the same transformer."""
    return Prefix(published_model(size, "feature_encoder").hubert, freeze)


class Trainer:
    """One optimiser over one model.

    Args:
        model: In training mode.
        fused: Whether the optimiser is one kernel, and gradients within the bound are left as they
            are, as in the project.
    """

    def __init__(self, model: nn.Module, *, fused: bool = False) -> None:
        self.model, self.fused = model, fused
        self.trainable = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trainable, lr=LEARNING_RATE, fused=fused)

    def learn(self, logits: Tensor, labels: Tensor) -> float:
        """Take one optimiser step on the cross-entropy of a batch; return it."""
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        self._clip()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return float(loss.detach())

    def _clip(self) -> None:
        if not self.fused:
            clip_grad_norm_(self.trainable, _LARGEST_NORM)
            return
        norm = get_total_norm([weight.grad for weight in self.trainable if weight.grad is not None])
        if norm >= _LARGEST_NORM:
            clip_grads_with_norm_(self.trainable, _LARGEST_NORM, norm)


def on_waveforms(size: Size, freeze: Freeze, lengths: Sequence[int]) -> Step:
    """Return a step of the published recipe: waveforms, padded to the longest, cut at 10 s.

    Args:
        size: Of the transformer.
        freeze: What of it is frozen.
        lengths: Frames per utterance; the waveforms are noise.

    Returns:
        Row numbers of a batch -> its loss.
    """
    trainer = Trainer(published_model(size, freeze))

    def step(rows: Sequence[int]) -> float:
        # The base checkpoints were made without a mask: padding is heard as silence.
        logits = trainer.model(waveforms_of(rows, lengths, limit_s=CUT_OFF_S)).logits
        return trainer.learn(logits, labels_of(rows))

    return step


def waveforms_of(
    rows: Sequence[int], lengths: Sequence[int], *, limit_s: float = math.inf
) -> Tensor:
    """Return noise as long as the utterances, padded to the longest.

    Args:
        rows: Of the batch.
        lengths: Frames per utterance.
        limit_s: What is longer, in seconds, is cut off.

    Returns:
        `(batch, num_samples)`.
    """
    counts = [int(min(limit_s * SAMPLING_RATE, num_samples(lengths[row]))) for row in rows]
    generator = torch.Generator().manual_seed(SEED)
    noise = [torch.randn(count, generator=generator) for count in counts]
    return nn.utils.rnn.pad_sequence(noise, batch_first=True)


def inputs_of(rows: Sequence[int], lengths: Sequence[int]) -> dict[str, Tensor]:
    """Return a batch as transformers' classifier is called with it, cut off as the recipe does."""
    return {
        "input_values": waveforms_of(rows, lengths, limit_s=CUT_OFF_S),
        "labels": labels_of(rows),
    }


def on_cached_frames(
    size: Size, freeze: Freeze, lengths: Sequence[int], *, is_half: bool = False
) -> Step:
    """Return a step of the project: frames of the frozen prefix, as long as the others hear.

    Args:
        size: Of the transformer.
        freeze: What the store's frames went through.
        lengths: Frames per utterance; the frames are noise.
        is_half: Under `training.precision: bfloat16`, as Accelerate does it.

    Returns:
        Row numbers of a batch -> its loss.
    """
    trainer = Trainer(suffix_model(size, freeze), fused=True)

    def step(rows: Sequence[int]) -> float:
        frames, counts = frames_of(size, freeze, rows, lengths)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            logits = trainer.model(frames, counts).logits
        return trainer.learn(logits.float(), labels_of(rows))

    return step


def frames_of(
    size: Size, freeze: Freeze, rows: Sequence[int], lengths: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return noise in place of a batch of frames from the store.

    Args:
        size: Of the transformer.
        freeze: What the store's frames went through.
        rows: Of the batch.
        lengths: Frames per utterance.

    Returns:
        Frames, padded to the longest `(batch, num_frames, num_bins)`, and how many of them are
        valid `(batch,)`.
    """
    settings = config(size)
    width = settings.conv_dim[-1] if freeze == "feature_encoder" else settings.hidden_size
    counts = torch.tensor([lengths[row] for row in rows])
    frames = torch.zeros(len(rows), int(counts.max()), width)
    generator = torch.Generator().manual_seed(SEED)
    for index, count in enumerate(counts.tolist()):
        frames[index, :count] = torch.randn(count, width, generator=generator)
    return frames, counts


def labels_of(rows: Sequence[int]) -> Tensor:
    """Return a class index for each row; nothing can be learnt from noise anyway."""
    return torch.tensor([row % len(EMOTIONS) for row in rows])


def num_samples(num_frames: int) -> int:
    """Return the samples of a recording that gives so many frames of the transformer."""
    return 400 + 320 * (num_frames - 1)


def random_batches(lengths: Sequence[int], size: int = BATCH_SIZE) -> list[list[int]]:
    """Return an epoch of random batches, as the published recipe draws them."""
    order = np.random.default_rng(SEED).permutation(len(lengths)).tolist()
    return [order[start : start + size] for start in range(0, len(order), size)]


def bucketed_batches(lengths: Sequence[int], size: int = BATCH_SIZE) -> list[list[int]]:
    """Return an epoch of the project's batches."""
    return LengthBucketedBatches(lengths, batch_size=size, seed=SEED).batches()


@dataclass(frozen=True, slots=True)
class Sample:
    """A few batches that stand for an epoch.

    Args:
        batches: From the middle of equally many equal strata of the epoch's batches,
            sorted by their padded length: each stands for as many batches.
        num_utterances: In the epoch.
        num_batches: In the epoch.
    """

    batches: list[list[int]]
    num_utterances: int
    num_batches: int

    def utterances_per_second(self, seconds: Sequence[float]) -> float:
        """Return the epoch's rate from the time each of the batches took."""
        epoch_s = float(np.mean(seconds)) * self.num_batches
        return self.num_utterances / epoch_s


def sample(batches: Sequence[Sequence[int]], lengths: Sequence[int], *, count: int) -> Sample:
    """Choose batches that stand for an epoch.

    Args:
        batches: Of the epoch.
        lengths: Frames per row, cut off where the contestant does so.
        count: How many to choose.

    Returns:
        The sample.
    """
    costs = [len(batch) * max(lengths[row] for row in batch) for batch in batches]
    order: NDArray[np.int64] = np.argsort(costs, kind="stable")
    middles = ((np.arange(count) + 0.5) / count * len(batches)).astype(int)
    chosen = [list(batches[order[middle]]) for middle in middles]
    return Sample(chosen, sum(map(len, batches)), len(batches))
