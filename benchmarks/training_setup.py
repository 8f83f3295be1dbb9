"""One fold of the BiLSTM with cross-entropy, ready to train: what several benchmarks need."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from benchmarks.recordings import Recordings
from ser.batch import FeatureSpec
from ser.data import splits
from ser.data.protocols import Part, SplitParams
from ser.data.splits import Fold
from ser.emotion import EMOTIONS
from ser.features import extraction
from ser.features.batching import LengthBucketedBatches
from ser.features.dataset import FeatureDataset, fit_statistics
from ser.features.drawn_copies import DrawnCopies
from ser.features.extraction import AudioParams, Places
from ser.features.extractors import mfcc
from ser.features.store import FeatureStore
from ser.losses import cross_entropy
from ser.models import lstm
from ser.tracking.memory_tracker import MemoryTracker
from ser.training.checkpoint import Checkpoint
from ser.training.fit import FitContext, FitResult, fit
from ser.training.recipe import Recipe

AUDIO = AudioParams(sampling_rate=16_000)
FEATURE = mfcc.Params(hop_ms=20.0, num_coefficients=20)
"""60 bins with deltas and delta-deltas."""
MODEL = lstm.Params(hidden_size=64, num_layers=2, pooling="stats", dropout=0.1)
# Clipping starts low enough to have something to do.
RECIPE = Recipe(num_epochs=1, batch_size=16, learning_rate=3e-3, gradient_clip=0.25)
SEED = 0


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """What one training starts from.

    Args:
        fold: The parts.
        label_of: Utterance id -> class index.
        model: Fresh weights; copied before each training.
        loss: Without class weights.
    """

    fold: Fold
    label_of: Mapping[str, int]
    model: nn.Module
    loss: nn.Module

    def dataset(
        self, store: FeatureStore, part: Part, copies: DrawnCopies | None = None
    ) -> FeatureDataset:
        """Return a part of the fold, normalised by its train part; `copies` are drawn from."""
        statistics = fit_statistics(store, self.fold.train, copies)
        ids = self.fold.part(part)
        return FeatureDataset(store, ids, self.label_of, statistics, copies=copies)

    def sampler(self, train: FeatureDataset) -> LengthBucketedBatches:
        """Return the batches of a training."""
        return LengthBucketedBatches(train.lengths, batch_size=RECIPE.batch_size, seed=SEED)

    def fit(
        self, train: FeatureDataset, dev: FeatureDataset, checkpoint: Checkpoint | None = None
    ) -> FitResult:
        """Train one epoch with the project's trainer, on the CPU, recording nothing."""
        context = FitContext(Accelerator(cpu=True), SEED, MemoryTracker(None), EMOTIONS, checkpoint)
        return fit(
            copy.deepcopy(self.model),
            self.loss,
            train,
            dev,
            self.sampler(train),
            recipe=RECIPE,
            context=context,
        )


def prepare(recordings: Recordings) -> TrainingSetup:
    """Return the first fold of the session protocol and a fresh model."""
    fold = splits.split(recordings.utterances, SplitParams(protocol="session"))[0]
    torch.manual_seed(SEED)
    extractor = mfcc.build(FEATURE, sampling_rate=AUDIO.sampling_rate)
    return TrainingSetup(
        fold,
        {u.id: EMOTIONS.index(str(u.emotion)) for u in recordings.utterances},
        lstm.build(
            MODEL,
            feature=FeatureSpec("mfcc", extractor.num_bins),
            num_classes=len(EMOTIONS),
            head="linear",
        ),
        cross_entropy.build(cross_entropy.Params(), num_classes=len(EMOTIONS), class_weights=None),
    )


def extract(recordings: Recordings, folder: Path) -> FeatureStore:
    """Extract the benchmarks' MFCCs of all utterances into a store."""
    return extraction.extract(
        recordings.utterances,
        name="mfcc",
        params=FEATURE,
        audio_params=AUDIO,
        places=Places(
            recordings=recordings.root,
            store=folder,
            kept=folder.with_name(f"{folder.name}.kept"),
            sounds=folder.with_name("sounds"),
        ),
    )
