"""The BiLSTM's training step on a GPU, where there is one; see `benchmarks.bilstm`."""

import torch

from benchmarks import bilstm, recordings
from benchmarks.measurement import Measurement


def run(quick: bool) -> list[Measurement]:
    """Compare on the first GPU; return nothing where there is none."""
    if not torch.cuda.is_available():
        return []
    corpus = recordings.load(quick=quick)
    # cuDNN rounds to TF32 by itself, and the two ways would differ by that.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return bilstm.measure(corpus, device=torch.device("cuda"), quick=quick)
