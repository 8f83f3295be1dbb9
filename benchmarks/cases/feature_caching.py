"""Several trainings on features extracted once against extracting them in each training."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks import equality, recordings, timing, training_setup
from benchmarks.measurement import Measurement
from benchmarks.recordings import Recordings
from benchmarks.training_setup import AUDIO, FEATURE, TrainingSetup
from ser.data import audio
from ser.features.extractors import mfcc
from ser.features.store import FeatureStore
from ser.training.fit import FitResult

_NUM_TRAININGS = 5


class FramesInMemory:
    """Features just extracted, with the face of a feature store and without its files."""

    def __init__(self, corpus: Recordings) -> None:
        extractor = mfcc.build(FEATURE, sampling_rate=AUDIO.sampling_rate)
        self.num_bins = extractor.num_bins
        self._frames = {
            utterance.id: extractor(
                audio.read(corpus.root / utterance.audio, sampling_rate=AUDIO.sampling_rate)
            )
            for utterance in corpus.utterances
        }

    def num_frames(self, utterance_id: str) -> int:
        """Return the number of frames of an utterance."""
        return len(self._frames[utterance_id])

    def __getitem__(self, utterance_id: str) -> NDArray[np.float32]:
        return self._frames[utterance_id]


def run(quick: bool) -> list[Measurement]:
    """Train one epoch five times, on one CPU thread; ours includes the one extraction."""
    corpus = recordings.load(quick=quick)
    with timing.torch_threads(1):
        setup = training_setup.prepare(corpus)
        _require_same_weights(cached(corpus, setup), extracting_each_time(corpus, setup))
        ours, alternative = timing.alternate(
            lambda: cached(corpus, setup),
            lambda: extracting_each_time(corpus, setup),
            repeats=1 if quick else 3,
        )
    return [
        Measurement(
            name=f"{_NUM_TRAININGS} trainings of one epoch, features extracted once "
            f"({corpus.name})",
            value=ours,
            unit="seconds",
            better="lower",
            alternative="extracting into memory in each training, same weights at the end",
            alternative_value=alternative,
            threads=1,
        )
    ]


def cached(corpus: Recordings, setup: TrainingSetup) -> list[FitResult]:
    """Extract into a store, then train from it."""
    with tempfile.TemporaryDirectory() as folder:
        store = training_setup.extract(corpus, Path(folder) / "mfcc")
        return [_train(setup, store) for _ in range(_NUM_TRAININGS)]


def extracting_each_time(corpus: Recordings, setup: TrainingSetup) -> list[FitResult]:
    """Read the wavs and extract in every training."""
    # A dataset asks of a store no more than these frames offer.
    return [
        _train(setup, cast(FeatureStore, FramesInMemory(corpus))) for _ in range(_NUM_TRAININGS)
    ]


def _train(setup: TrainingSetup, store: FeatureStore) -> FitResult:
    return setup.fit(setup.dataset(store, "train"), setup.dataset(store, "dev"))


def _require_same_weights(ours: Sequence[FitResult], alternative: Sequence[FitResult]) -> None:
    equality.require_close(
        (
            (a.weights[name].numpy(), b.weights[name].numpy())
            for a, b in zip(ours, alternative, strict=True)
            for name in sorted(a.weights)
        ),
        what="weights after a training",
        relative=1e-5,
    )
