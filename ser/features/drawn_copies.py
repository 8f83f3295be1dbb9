"""Which copy of an utterance training sees in an epoch: drawn anew in each."""

from bisect import bisect
from collections.abc import Iterator, Mapping
from itertools import accumulate

from ser import seeding
from ser.features.collection import Frames
from ser.features.store import FeatureStore

_NUM_SEEDS = 2**32
"""`ser.seeding.derive` returns a whole number below this."""


class DrawnCopies:
    """Copies of a store with the share of utterances that each gets in an epoch.

    A draw depends on (seed, epoch, utterance) alone, so a fit that resumes sees what an
    uninterrupted one saw, and another utterance in the train part changes no draw.

    Args:
        store: The utterances.
        shares: Copy -> its share, above 0; divided by their sum.
        seed: Of the training.

    Raises:
        StaleFeaturesError: The store lacks a copy.
    """

    def __init__(self, store: FeatureStore, shares: Mapping[str, float], *, seed: int) -> None:
        self.seed = seed
        total = sum(shares.values())
        # Sorted: the order in which the shares are written must not count.
        self._copies = [(shares[copy] / total, store.of_copy(copy)) for copy in sorted(shares)]
        self._bounds = list(accumulate(share for share, _ in self._copies))[:-1]

    def draw(self, utterance_id: str, epoch: int) -> FeatureStore:
        """Return the store of the copy that an utterance has in an epoch."""
        drawn = seeding.derive(self.seed, "copy", epoch, utterance_id) / _NUM_SEEDS
        return self._copies[bisect(self._bounds, drawn)][1]

    def frames(self, utterance_id: str) -> Iterator[tuple[float, Frames]]:
        """Yield the share and the frames of every copy of an utterance."""
        for share, store in self._copies:
            yield share, store[utterance_id]
