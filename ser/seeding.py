"""Seeds: one number per purpose, derived so that purposes do not share a stream."""

import hashlib
import random

import numpy as np


def derive(*parts: object) -> int:
    """Return a seed that depends on every part.

    Args:
        parts: E.g. `(seed, fold, "shuffle", epoch)`; compared by their `repr`.

    Returns:
        An integer in [0, 2**32), the same on every machine and in every process.

    Example:
        >>> derive(0, "shuffle", 1) == derive(0, "shuffle", 2)
        False
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices).

    NumPy's global generator is seeded because transformers' SpecAugment draws from it.

    Args:
        seed: In [0, 2**32).
    """
    # torch is imported here so that stages without it can derive seeds.
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
