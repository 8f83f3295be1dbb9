import numpy as np
import pytest

from ser.features import batching
from ser.features.batching import LengthBucketedBatches


def lengths(num=500, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 60.0, num).astype(int) + 5


def flat(batches):
    return sorted(row for batch in batches for row in batch)


def test_every_row_is_in_exactly_one_batch():
    sampler = LengthBucketedBatches(lengths(), batch_size=16, seed=0)
    assert flat(sampler.batches()) == list(range(500))
    assert len(sampler) == len(list(sampler))


def test_batches_are_bounded_in_rows_and_in_padded_frames():
    rows = lengths()
    for batch in LengthBucketedBatches(rows, batch_size=16, max_frames=1500, seed=0).batches():
        longest = max(rows[row] for row in batch)
        assert len(batch) <= 16
        assert len(batch) * longest <= 1500 or len(batch) == 1


def test_shuffling_follows_seed_and_epoch_alone():
    def batches(seed, epoch):
        sampler = LengthBucketedBatches(lengths(), batch_size=16, seed=seed)
        sampler.set_epoch(epoch)
        return sampler.batches()

    assert batches(0, 1) == batches(0, 1)
    assert batches(0, 1) != batches(0, 2)
    assert batches(0, 1) != batches(1, 1)


def test_bucketing_wastes_far_less_than_random_batches():
    rows = lengths(2000)
    bucketed = LengthBucketedBatches(rows, batch_size=16, seed=0).batches()
    order = np.random.default_rng(0).permutation(2000)
    chance = [order[start : start + 16].tolist() for start in range(0, 2000, 16)]
    assert batching.padding_waste(bucketed, rows) < 0.05
    assert batching.padding_waste(chance, rows) > 0.4


def test_weights_draw_rare_rows_as_often_as_frequent_ones():
    weights = np.array([1.0] * 90 + [9.0] * 10)
    sampler = LengthBucketedBatches([10] * 100, batch_size=10, seed=0, weights=weights)
    drawn = []
    for epoch in range(50):
        sampler.set_epoch(epoch)
        drawn += flat(sampler.batches())
    assert len(drawn) == 5000
    assert np.mean(np.array(drawn) >= 90) == pytest.approx(0.5, abs=0.03)


def test_processes_share_the_batches_and_get_equally_many():
    parts = [
        list(LengthBucketedBatches(lengths(100), batch_size=16, seed=0, num_replicas=3, rank=rank))
        for rank in range(3)
    ]
    assert {len(part) for part in parts} == {3}
    assert set(flat([batch for part in parts for batch in part])) == set(range(100))


def test_prediction_batches_hold_every_row_once_sorted_by_length():
    batches = batching.in_order([5, 3, 9, 3], batch_size=2, max_frames=None)
    assert batches == [[1, 3], [0, 2]]


def test_lengths_that_an_epoch_changes_bound_its_batches():
    sampler = LengthBucketedBatches(lengths(), batch_size=16, max_frames=1500, seed=0)
    longer = lengths() * 2
    sampler.set_epoch(1, longer)
    batches = sampler.batches()
    assert flat(batches) == list(range(500))
    assert all(len(b) * max(longer[row] for row in b) <= 1500 or len(b) == 1 for b in batches)
    sampler.set_epoch(1)
    assert sampler.batches() == batches
