"""Five losses over five folds on a frozen HuBERT: its layers computed once or in every step."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from benchmarks import ssl_training, timing
from benchmarks.cases.padding import iemocap_lengths
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, SEED, TINY, Size
from ser import components, runtime
from ser.emotion import EMOTIONS
from ser.features import store as feature_store
from ser.features.batching import LengthBucketedBatches
from ser.features.dataset import FeatureDataset, fit_statistics
from ser.features.store import FeatureStore
from ser.models.speech_transformer import LayerMixture, SpeechTransformerModel
from ser.nn.heads import build_head
from ser.pretrained.transformer import Prefix
from ser.tracking.memory_tracker import MemoryTracker
from ser.training.fit import FitContext, fit
from ser.training.recipe import Recipe

LOSSES = ("cross_entropy", "label_smoothing", "focal", "aam", "ccc")
NUM_FOLDS = 5
NUM_EPOCHS = 12
#: Of the session protocol: three of five sessions train.
TRAIN_SHARE = 0.6
_THREADS = 2
_BATCH_SIZE = 8
_EMBEDDING_DIM = 256
#: Utterances that the heads are timed on; three sessions to train, one to choose.
_IDS = [str(number) for number in range(800)]
_NUM_TRAIN = 600


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured.

    Args:
        upstream_s: One utterance through all frozen layers, seconds.
        head_s: One utterance of one training epoch on their summaries, dev evaluation
            included, the mean over the losses, seconds.
    """

    upstream_s: float
    head_s: float

    def grid_s(self, num_utterances: int, *, is_cached: bool) -> float:
        """Return what all losses and folds take, seconds.

        Args:
            num_utterances: Of the corpus.
            is_cached: The upstream is run once per utterance, or in every step.
        """
        steps = len(LOSSES) * NUM_FOLDS * NUM_EPOCHS * TRAIN_SHARE * num_utterances
        upstream = num_utterances if is_cached else steps
        return upstream * self.upstream_s + steps * self.head_s


def run(quick: bool) -> list[Measurement]:
    """Measure both costs per utterance in turn, and count how often each is paid."""
    size = TINY if quick else BASE
    lengths = iemocap_lengths()
    threads = min(_THREADS, runtime.num_processors())
    with timing.torch_threads(threads):
        costs = measure(size, lengths, num_heard=5 if quick else 20)
    num_utterances = len(lengths)
    what = "tiny model, a quick look" if quick else "HuBERT base size, random weights"
    return [
        Measurement(
            name=f"{len(LOSSES)} losses x {NUM_FOLDS} folds x {NUM_EPOCHS} epochs on a frozen "
            f"upstream ({what}; {num_utterances} utterances of IEMOCAP's durations; composed of "
            f"the measured cost of an utterance, {costs.upstream_s * 1e3:.0f} ms upstream and "
            f"{costs.head_s * 1e3:.2f} ms head)",
            value=costs.grid_s(num_utterances, is_cached=True),
            unit="seconds",
            better="lower",
            alternative="running the upstream in every step, one utterance at a time, no padding",
            alternative_value=costs.grid_s(num_utterances, is_cached=False),
            threads=threads,
        )
    ]


def measure(size: Size, lengths: Sequence[int], *, num_heard: int) -> Costs:
    """Return the costs of an utterance.

    Args:
        size: Of the transformer.
        lengths: Frames per utterance; those heard stand at equal steps of the sorted ones.
        num_heard: How many utterances go through the upstream.
    """
    prefix = ssl_training.prefix_model(size, "all")
    ordered = np.sort(lengths)
    places = ((np.arange(num_heard) + 0.5) / num_heard * len(ordered)).astype(int)
    generator = torch.Generator().manual_seed(SEED)
    waveforms = [
        torch.randn(ssl_training.num_samples(int(ordered[place])), generator=generator)
        for place in places
    ]
    upstream_s = head_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder) / "hubert", prefix.num_bins)
        _hear(prefix, waveforms[:1])
        for index, loss in enumerate(LOSSES):
            upstream_s += _hear(prefix, waveforms[index :: len(LOSSES)])
            head_s += train_epoch(store, size, loss) / len(LOSSES)
    return Costs(upstream_s / num_heard, head_s)


@torch.inference_mode()
def _hear(prefix: Prefix, waveforms: Sequence[torch.Tensor]) -> float:
    """Return what waveforms take through the frozen layers, seconds."""
    start = time.perf_counter()
    for waveform in waveforms:
        prefix(waveform)
    return time.perf_counter() - start


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


def train_epoch(store: FeatureStore, size: Size, loss_name: str) -> float:
    """Return what an epoch of the project's training takes per train utterance, seconds."""
    label_of: Mapping[str, int] = {id_: int(id_) % len(EMOTIONS) for id_ in _IDS}
    statistics = fit_statistics(store, _IDS[:_NUM_TRAIN])
    train = FeatureDataset(store, _IDS[:_NUM_TRAIN], label_of, statistics)
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
    sampler = LengthBucketedBatches(train.lengths, batch_size=_BATCH_SIZE, seed=SEED)
    context = FitContext(Accelerator(cpu=True), SEED, MemoryTracker(None), EMOTIONS, None)
    recipe = Recipe(num_epochs=1, batch_size=_BATCH_SIZE, learning_rate=1e-3)
    start = time.perf_counter()
    fit(model, loss, train, dev, sampler, recipe=recipe, context=context)
    return (time.perf_counter() - start) / len(train)
