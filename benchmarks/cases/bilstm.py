"""The BiLSTM's training step on the CPU, one thread; see `benchmarks.bilstm`."""

import torch

from benchmarks import bilstm, recordings
from benchmarks.measurement import Measurement


def run(quick: bool) -> list[Measurement]:
    """Compare on one CPU thread."""
    corpus = recordings.load(quick=quick)
    return bilstm.measure(corpus, device=torch.device("cpu"), quick=quick)
