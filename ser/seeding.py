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


def make_deterministic(num_threads: int, *, strict: bool) -> None:
    """Make torch give the same bytes for the same seed.

    Args:
        num_threads: CPU threads; another number sums in another order.
        strict: Refuse operations that have no deterministic kernel instead of warning;
            some have none on GPUs.
    """
    import torch

    torch.set_num_threads(num_threads)
    torch.backends.cudnn.benchmark = False
    # `use_deterministic_algorithms` would do the same and import torch's compiler, for a second.
    torch.set_deterministic_debug_mode("error" if strict else "warn")
    # Deterministic mode would fill every new tensor with NaN, to unmask reading what was never
    # written; the results are the same without, and a training step is a few percent faster.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
