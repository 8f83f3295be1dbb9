"""Five losses over five folds on a frozen HuBERT: its layers computed once or in every step."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from benchmarks import equality, ssl_training, timing, upstream
from benchmarks.cases.padding import iemocap_lengths
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, SEED, TINY, Size
from ser import components, runtime
from ser.emotion import EMOTIONS
from ser.features import store as feature_store
from ser.features.batching import LengthBucketedBatches
from ser.features.dataset import FeatureDataset, fit_statistics
from ser.features.store import FeatureStore
from ser.models.speech_transformer import SpeechTransformerModel
from ser.nn.heads import build_head
from ser.nn.transformer_bodies import LayerMixture
from ser.tracking.memory_tracker import MemoryTracker
from ser.training.fit import FitContext, fit
from ser.training.recipe import Recipe

LOSSES = ("cross_entropy", "label_smoothing", "focal", "aam", "ccc")
NUM_FOLDS = 5
NUM_EPOCHS = 12
#: Of the session protocol: three of five sessions train, one chooses the epoch, one tests.
TRAIN_SHARE, DEV_SHARE, TEST_SHARE = 0.6, 0.2, 0.2
_THREADS = 2
_BATCH_SIZE = 8
#: Of the published recipe, in training and evaluation (SUPERB's emotion recognition in s3prl).
_RECIPE_BATCH_SIZE = 4
_EMBEDDING_DIM = 256
#: Utterances that the heads are timed on; three sessions to train, one to choose.
_IDS = [str(number) for number in range(800)]
_NUM_TRAIN = 600
#: Allowed difference of summaries, in units of the largest.
_RELATIVE = 1e-4


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured, in seconds.

    Args:
        extraction_s: One utterance through all frozen layers, by the project's extractor.
        alone_s: The same in transformers' own model, one utterance at a time.
        padded_s: The same in random batches, padded to the longest utterance of each.
        head_s: One utterance of one training epoch on their summaries, dev evaluation
            included, the mean over the losses.
    """

    extraction_s: float
    alone_s: float
    padded_s: float
    head_s: float

    def cached_s(self, num_utterances: int) -> float:
        """Return what all losses and folds take where the upstream is run once per utterance."""
        return num_utterances * (self.extraction_s + _num_learnt() * self.head_s)

    def in_every_step_s(self, num_utterances: int, upstream_s: float) -> float:
        """Return what they take where the upstream is run whenever an utterance is heard.

        Args:
            num_utterances: Of the corpus.
            upstream_s: One utterance through the upstream, seconds.
        """
        heard = len(LOSSES) * NUM_FOLDS * (NUM_EPOCHS * (TRAIN_SHARE + DEV_SHARE) + TEST_SHARE)
        return num_utterances * (heard * upstream_s + _num_learnt() * self.head_s)


def _num_learnt() -> float:
    """Return how often all losses and folds learn from an utterance, on average."""
    return len(LOSSES) * NUM_FOLDS * NUM_EPOCHS * TRAIN_SHARE


def run(quick: bool) -> list[Measurement]:
    """Measure the costs per utterance in turn, and count how often each is paid."""
    size = TINY if quick else BASE
    lengths = iemocap_lengths()
    threads = min(_THREADS, runtime.num_processors())
    with timing.torch_threads(threads):
        costs = measure(size, lengths, num_heard=4 if quick else 20, threads=threads)
    num_utterances = len(lengths)
    what = "tiny model, a quick look" if quick else "HuBERT base size, random weights"
    row = partial(
        Measurement,
        name=f"{len(LOSSES)} losses x {NUM_FOLDS} folds x {NUM_EPOCHS} epochs on a frozen "
        f"upstream ({what}; {num_utterances} utterances of IEMOCAP's durations; composed of "
        f"the measured cost of an utterance, {costs.extraction_s * 1e3:.0f} ms of extraction and "
        f"{costs.head_s * 1e3:.2f} ms of head)",
        value=costs.cached_s(num_utterances),
        unit="seconds",
        better="lower",
        threads=threads,
    )
    return [
        row(
            alternative="the published recipe: transformers' own model in every step and dev "
            f"evaluation, random batches of {_RECIPE_BATCH_SIZE} padded to the longest",
            alternative_value=costs.in_every_step_s(num_utterances, costs.padded_s),
        ),
        row(
            alternative="the same, one utterance at a time, no padding",
            alternative_value=costs.in_every_step_s(num_utterances, costs.alone_s),
        ),
    ]


def measure(size: Size, lengths: list[int], *, num_heard: int, threads: int) -> Costs:
    """Return the costs of an utterance.

    Args:
        size: Of the transformer.
        lengths: Frames per utterance.
        num_heard: How many utterances go through the upstream.
        threads: Of all contenders.

    Raises:
        DifferentResultError: The summaries are not those of transformers.
    """
    ours, theirs = upstream.extractor(size), upstream.published(size)
    waveforms = upstream.stratified(lengths, num_heard)
    batches = ssl_training.random_batches(lengths, _RECIPE_BATCH_SIZE)
    sample = ssl_training.sample(batches, lengths, count=num_heard // _RECIPE_BATCH_SIZE)
    padded = [ssl_training.waveforms_of(rows, lengths) for rows in sample.batches]

    def alone() -> list[NDArray[Any]]:
        return [upstream.summaries(theirs, torch.from_numpy(w)[None]).numpy() for w in waveforms]

    def in_batches() -> None:
        for batch in padded:
            upstream.summaries(theirs, batch)

    equality.require_close(
        zip(map(ours, waveforms), alone(), strict=True),
        what="summaries of a HuBERT",
        relative=_RELATIVE,
    )
    num_epochs = NUM_EPOCHS if size is BASE else 1
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder) / "hubert", ours.num_bins)
        extraction_s, alone_s, batches_s, heads_s = timing.alternate(
            partial(upstream.in_threads, ours, waveforms, threads=threads),
            alone,
            in_batches,
            lambda: [train(store, size, loss, num_epochs=num_epochs) for loss in LOSSES],
            repeats=3 if size is BASE else 1,
        )
    return Costs(
        extraction_s / num_heard,
        alone_s / num_heard,
        1 / sample.utterances_per_second([batches_s / len(padded)]),
        heads_s / (len(LOSSES) * num_epochs * _NUM_TRAIN),
    )


def _store(folder: Path, num_bins: int) -> FeatureStore:
    """Write summaries of layers, as the extractor does, with noise in them."""

    def frames_of(id_: str) -> NDArray[np.float32]:
        rng = np.random.default_rng(int(id_))
        return rng.standard_normal((1, num_bins), dtype=np.float32)

    meta = {
        "extractor": "hubert",
        "params": {},
        "sampling_rate": ssl_training.SAMPLING_RATE,
        "dimension": num_bins,
        "dtype": "float32",
        "checkpoint": None,
        "revision": None,
    }
    return feature_store.build(
        folder, _IDS, frames_of, meta=meta, scratch=folder.with_name("partial"), num_threads=1
    )


def train(store: FeatureStore, size: Size, loss_name: str, *, num_epochs: int) -> None:
    """Train a head on summaries, with the project's trainer.

    Args:
        store: The summaries of `_IDS`.
        size: Of the transformer.
        loss_name: See `ser.losses`.
        num_epochs: How many, none of them saved.
    """
    label_of: Mapping[str, int] = {id_: int(id_) % len(EMOTIONS) for id_ in _IDS}
    statistics = fit_statistics(store, _IDS[:_NUM_TRAIN])
    part = FeatureDataset(store, _IDS[:_NUM_TRAIN], label_of, statistics)
    dev = FeatureDataset(store, _IDS[_NUM_TRAIN:], label_of, statistics)
    module = components.load("ser.losses", loss_name)
    loss = module.build(module.Params(), num_classes=len(EMOTIONS), class_weights=None)
    settings = ssl_training.config(size)
    body = LayerMixture(settings.num_hidden_layers + 1, settings.hidden_size, "stats")
    head = build_head(loss.head, embedding_dim=_EMBEDDING_DIM, num_classes=len(EMOTIONS))
    torch.manual_seed(SEED)
    model = SpeechTransformerModel(
        body, head, embedding_dim=_EMBEDDING_DIM, dropout=0.1, origin="random weights"
    )
    sampler = LengthBucketedBatches(part.lengths, batch_size=_BATCH_SIZE, seed=SEED)
    context = FitContext(Accelerator(cpu=True), SEED, MemoryTracker(None), EMOTIONS, None)
    recipe = Recipe(
        num_epochs=num_epochs, patience=num_epochs, batch_size=_BATCH_SIZE, learning_rate=1e-3
    )
    fit(model, loss, part, dev, sampler, recipe=recipe, context=context)
