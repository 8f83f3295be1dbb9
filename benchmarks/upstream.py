"""A frozen upstream run over waveforms: by the project's extractor, and as others do it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import ssl_training, timing
from benchmarks.ssl_training import SAMPLING_RATE, SEED, Size
from ser.features.extractors.speech_transformer import SpeechTransformerExtractor
from ser.pretrained.preprocessing import Preprocessing

Samples = NDArray[np.float32]
Extract = Callable[[Samples], NDArray[np.float32]]


def extractor(size: Size) -> SpeechTransformerExtractor:
    """Return the project's extractor of a HuBERT with random weights: summaries of all layers."""
    return SpeechTransformerExtractor(
        ssl_training.prefix_model(size, "all"),
        Preprocessing(SAMPLING_RATE, is_normalised=False),
        device=torch.device("cpu"),
        dtype="float32",
        provenance={},
    )


def published(size: Size) -> Any:
    """Return the same network as transformers runs it, to be evaluated."""
    return ssl_training.published_model(size, "feature_encoder").hubert.eval()


@torch.inference_mode()
def summaries(model: Any, waveforms: Tensor) -> Tensor:
    """Return mean and deviation over time of all hidden states, as transformers gives them.

    Args:
        model: Of transformers.
        waveforms: `(batch, num_samples)`.

    Returns:
        `(batch, 2 * num_states * hidden_size)`.
    """
    states = model(waveforms, output_hidden_states=True).hidden_states
    return torch.cat(
        [part for state in states for part in (state.mean(1), state.std(1, correction=0))], dim=-1
    )


def in_threads(extract: Extract, waveforms: Sequence[Samples], *, threads: int) -> None:
    """Extract as the stage does: an utterance for each thread, and torch itself keeps to one."""
    with timing.torch_threads(1), ThreadPoolExecutor(threads) as pool:
        list(pool.map(extract, waveforms))


def stratified(lengths: Sequence[int], count: int) -> list[Samples]:
    """Return noise as long as utterances that stand for all: at equal steps of the sorted ones.

    Args:
        lengths: Frames per utterance.
        count: How many to choose.
    """
    ordered = np.sort(lengths)
    places = ((np.arange(count) + 0.5) / count * len(ordered)).astype(int)
    rng = np.random.default_rng(SEED)
    return [
        rng.standard_normal(ssl_training.num_samples(int(ordered[place])), dtype=np.float32)
        for place in places
    ]
