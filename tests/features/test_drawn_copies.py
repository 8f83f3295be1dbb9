from collections import Counter

import numpy as np
import pytest

from ser.errors import StaleFeaturesError
from ser.features.drawn_copies import DrawnCopies
from tests import synthetic

SHARES = {"clean": 0.5, "speed_0.9": 0.3, "speed_1.1": 0.2}


@pytest.fixture
def store(tmp_path):
    return synthetic.feature_store(
        tmp_path / "mfcc", synthetic.corpus(), copies=("speed_0.9", "speed_1.1")
    )


def drawn(store, epoch, shares=SHARES, seed=0, ids=range(2000)):
    """The copy of each utterance in an epoch."""
    copies = DrawnCopies(store, shares, seed=seed)
    return [copies.draw(f"u{number}", epoch).meta.get("copy", "clean") for number in ids]


def test_copies_are_drawn_in_proportion_to_their_shares(store):
    counts = Counter(copy for epoch in range(1, 6) for copy in drawn(store, epoch))
    for copy, share in SHARES.items():
        assert counts[copy] / 10_000 == pytest.approx(share, abs=0.02)


def test_rounded_shares_count_by_their_sum(store):
    counts = Counter(drawn(store, 1, {"speed_0.9": 0.498, "speed_1.1": 0.498}))
    assert counts["speed_0.9"] / 2000 == pytest.approx(0.5, abs=0.03)
    assert sum(counts.values()) == counts["speed_0.9"] + counts["speed_1.1"]


def test_a_draw_follows_seed_epoch_and_utterance_alone(store):
    first = drawn(store, 3)
    assert first == drawn(store, 3)
    assert first == drawn(store, 3, dict(reversed(SHARES.items())))
    assert first[1000:] == drawn(store, 3, ids=range(1000, 2000))
    assert first != drawn(store, 4)
    assert first != drawn(store, 3, seed=1)


def test_every_utterance_hears_every_copy_in_the_end(store):
    heard = {(copy, epoch) for epoch in range(60) for copy in drawn(store, epoch, ids=[7])}
    assert {copy for copy, _ in heard} == set(SHARES)


def test_the_frames_come_with_the_shares_of_their_copies(store):
    (id_, *_) = (u.id for u in synthetic.corpus())
    found = list(DrawnCopies(store, SHARES, seed=0).frames(id_))
    assert [share for share, _ in found] == pytest.approx(list(SHARES.values()))
    for (_, frames), copy in zip(found, SHARES, strict=True):
        np.testing.assert_array_equal(frames, store.of_copy(copy)[id_])


def test_a_copy_that_was_not_extracted_is_refused_before_anything_is_drawn(store):
    with pytest.raises(StaleFeaturesError, match=r"no copy 'speed_1\.5'"):
        DrawnCopies(store, {"clean": 0.5, "speed_1.5": 0.5}, seed=0)
