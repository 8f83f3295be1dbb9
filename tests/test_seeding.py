import random

import numpy as np
import torch

from ser import seeding


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
