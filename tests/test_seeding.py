import random

import numpy as np
import torch

from ser import seeding

#: As torch counts what it does about an operation that may give other bytes each time.
_WARNS, _REFUSES = 1, 2


def test_seeding_covers_every_generator():
    def draws():
        seeding.seed_everything(7)
        return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    assert draws() == draws()


def test_derived_seeds_differ_by_every_part_and_fit_every_generator():
    seeds = {seeding.derive(s, p, e) for s in range(5) for p in ("a", "b") for e in range(50)}
    assert len(seeds) == 500
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_derived_seed_is_the_same_in_every_process():
    assert seeding.derive(0, "weights") == 2397166357


def test_what_has_no_deterministic_kernel_is_refused_or_else_warned_of():
    try:
        seeding.make_deterministic(torch.get_num_threads(), strict=True)
        assert torch.get_deterministic_debug_mode() == _REFUSES
        seeding.make_deterministic(torch.get_num_threads(), strict=False)
        assert torch.get_deterministic_debug_mode() == _WARNS
        assert not torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.set_deterministic_debug_mode("default")
