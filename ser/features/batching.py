"""Which utterances share a batch: similar lengths together, shuffled per seed and epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from ser import seeding

_BATCHES_PER_POOL = 200
"""Lengths are sorted within pools of this many batches, so big corpora stay shuffled."""

_JITTER = 0.02
"""Lengths are sorted as if they were longer or shorter by up to this share, so that the
same utterances do not meet in every epoch; more jitter is more padding."""


class LengthBucketedBatches(Sampler[list[int]]):
    """Batches of row numbers for training, bounded in utterances and in padded frames.

    Every epoch is shuffled by (seed, epoch) alone, so a run that resumes at an epoch sees
    what an uninterrupted one saw. Rows are shuffled, dealt to pools, sorted by length with
    some jitter inside a pool, cut into batches, and the batches are shuffled.

    Args:
        lengths: Frames per row `(num_rows,)`; `set_epoch` takes others.
        batch_size: Most rows of a batch.
        max_frames: Most frames of a padded batch, or None; a single longer row is a batch.
        seed: Of the shuffling.
        weights: Draw rows with replacement in proportion to these `(num_rows,)`, or None
            for each row once.
        num_replicas: Processes that train together; each gets every num_replicas-th batch
            and all get equally many (the first batches are repeated to fill up).
        rank: Of this process.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        batch_size: int,
        seed: int,
        max_frames: int | None = None,
        weights: NDArray[np.float64] | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size, self.max_frames, self.seed = batch_size, max_frames, seed
        self.weights, self.num_replicas, self.rank = weights, num_replicas, rank
        self.epoch = 0
        self._drawn: list[list[int]] | None = None

    def set_epoch(self, epoch: int, lengths: Sequence[int] | None = None) -> None:
        """Choose the shuffle; call it before each epoch.

        Args:
            epoch: The epoch that begins.
            lengths: Frames per row from now on, where an epoch changes them; None keeps them.
        """
        self.epoch, self._drawn = epoch, None
        if lengths is not None:
            self.lengths = np.asarray(lengths, dtype=np.int64)

    def batches(self) -> list[list[int]]:
        """Return this epoch's batches of all processes, in order; drawn once an epoch."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def _draw(self) -> list[list[int]]:
        rng = np.random.default_rng(seeding.derive(self.seed, "batches", self.epoch))
        rows = self._rows(rng)
        pool_size = self.batch_size * _BATCHES_PER_POOL
        batches: list[list[int]] = []
        for start in range(0, len(rows), pool_size):
            pool = rows[start : start + pool_size]
            jitter = rng.uniform(1 - _JITTER, 1 + _JITTER, len(pool))
            order = np.argsort(self.lengths[pool] * jitter, kind="stable")
            batches += cut(pool[order], self.lengths, self.batch_size, self.max_frames)
        return [batches[index] for index in rng.permutation(len(batches))]

    def _rows(self, rng: np.random.Generator) -> NDArray[np.int64]:
        if self.weights is None:
            return rng.permutation(len(self.lengths))
        share = self.weights / self.weights.sum()
        return rng.choice(len(self.lengths), size=len(self.lengths), replace=True, p=share)

    def __iter__(self) -> Iterator[list[int]]:
        batches = self.batches()
        missing = -len(batches) % self.num_replicas
        filled = batches + [batches[index % len(batches)] for index in range(missing)]
        return iter(filled[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return -(-len(self.batches()) // self.num_replicas)


def cut(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, max_frames: int | None
) -> list[list[int]]:
    """Cut rows, in their order, into batches.

    Args:
        rows: Row numbers, similar lengths next to one another.
        lengths: Frames of every row `(num_rows,)`.
        batch_size: Most rows of a batch.
        max_frames: Most frames of a padded batch (rows times longest row), or None.

    Returns:
        Batches that together hold each row once.
    """
    batches: list[list[int]] = [[]]
    longest = 0
    for row in rows.tolist():
        longest = max(longest, int(lengths[row]))
        padded = (len(batches[-1]) + 1) * longest
        full = len(batches[-1]) == batch_size or (max_frames is not None and padded > max_frames)
        if full and batches[-1]:
            batches.append([])
            longest = int(lengths[row])
        batches[-1].append(row)
    return [batch for batch in batches if batch]


def in_order(lengths: Sequence[int], *, batch_size: int, max_frames: int | None) -> list[list[int]]:
    """Return batches for prediction: every row once, sorted by length, nothing random."""
    array = np.asarray(lengths, dtype=np.int64)
    return cut(np.argsort(array, kind="stable"), array, batch_size, max_frames)


def padding_waste(batches: Sequence[Sequence[int]], lengths: Sequence[int]) -> float:
    """Return the share of padded frames that are no speech, in [0, 1).

    Example:
        >>> padding_waste([[0, 1]], [4, 2])
        0.25
    """
    valid = sum(lengths[row] for batch in batches for row in batch)
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    return 1 - valid / padded
