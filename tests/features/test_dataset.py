import numpy as np
import pytest
import torch

from ser.features import dataset, store
from ser.features.dataset import FeatureDataset, Row, Statistics
from ser.features.drawn_copies import DrawnCopies
from tests import synthetic
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric


def test_statistics_are_those_of_all_train_frames_and_of_nothing_else(tmp_path):
    utterances = synthetic.corpus()
    built = synthetic.feature_store(tmp_path / "mfcc", utterances)
    fold = synthetic.fold_of(utterances)
    statistics = dataset.fit_statistics(built, fold.train)
    frames = np.concatenate([built[id_] for id_ in fold.train]).astype(np.float64)
    np.testing.assert_allclose(statistics.mean, frames.mean(axis=0), rtol=FORMULA, atol=FORMULA)
    np.testing.assert_allclose(statistics.std, frames.std(axis=0), rtol=FORMULA)


def test_statistics_do_not_lose_digits_far_from_zero(tmp_path):
    rng = np.random.default_rng(0)
    content = {f"u{n}": (1e4 + rng.normal(size=(50, 2))).astype(np.float32) for n in range(4)}
    built = store.build(
        tmp_path / "f",
        list(content),
        content.__getitem__,
        meta={"extractor": "a", "params": {}, "dimension": 2, "dtype": "float32"},
        scratch=tmp_path / "s",
    )
    statistics = dataset.fit_statistics(built, list(content))
    expected = np.concatenate(list(content.values())).astype(np.float64).std(axis=0)
    np.testing.assert_allclose(statistics.std, expected, rtol=1e-3)


def test_a_bin_that_never_changes_becomes_zero(tmp_path):
    built = store.build(
        tmp_path / "f",
        ["u"],
        lambda _: np.full((5, 1), 3.0, dtype=np.float32),
        meta={"extractor": "a", "params": {}, "dimension": 1, "dtype": "float32"},
        scratch=tmp_path / "s",
    )
    statistics = dataset.fit_statistics(built, ["u"])
    np.testing.assert_array_equal(statistics.apply(built["u"]), np.zeros((5, 1)))


def test_statistics_survive_the_file(tmp_path):
    statistics = Statistics(np.array([1, 2], np.float32), np.array([3, 4], np.float32))
    statistics.save(tmp_path / "statistics.safetensors")
    back = Statistics.load(tmp_path / "statistics.safetensors")
    np.testing.assert_array_equal(back.mean, statistics.mean)
    np.testing.assert_array_equal(back.std, statistics.std)


def test_rows_are_normalised_frames_with_their_label(tmp_path):
    utterances = synthetic.corpus()
    built = synthetic.feature_store(tmp_path / "mfcc", utterances)
    fold = synthetic.fold_of(utterances)
    labels = synthetic.label_of(utterances)
    train = FeatureDataset(built, fold.train, labels, dataset.fit_statistics(built, fold.train))
    frames = np.concatenate([train[row].frames for row in range(len(train))])
    np.testing.assert_allclose(frames.mean(axis=0), 0.0, atol=FORMULA)
    np.testing.assert_allclose(frames.std(axis=0), 1.0, atol=FORMULA)
    assert [train[row].label for row in range(len(train))] == [labels[id_] for id_ in fold.train]
    assert train.lengths == [built.num_frames(id_) for id_ in fold.train]


def test_ratings_travel_with_their_row_and_gaps_stay_gaps(tmp_path):
    utterances = synthetic.corpus(rated=True)
    built = synthetic.feature_store(tmp_path / "mfcc", utterances)
    ids = [u.id for u in utterances[::-2]]
    rating_of, statistics = synthetic.rating_of(utterances), Statistics.identity(6)
    rated = FeatureDataset(built, ids, synthetic.label_of(utterances), statistics, rating_of)
    expected = np.array([rating_of[id_] for id_ in ids])
    gap = int(np.flatnonzero(np.isnan(expected[:, 2]))[0])
    np.testing.assert_array_equal(rated.ratings, expected)
    batch = dataset.collate([rated[row] for row in (gap, 0)])
    assert batch.ratings.dtype == torch.float32
    np.testing.assert_array_equal(batch.ratings, expected[[gap, 0]].astype(np.float32))


def test_where_nobody_asks_there_are_no_ratings(tmp_path):
    utterances = synthetic.corpus(rated=True)
    built = synthetic.feature_store(tmp_path / "mfcc", utterances)
    labels, ids = synthetic.label_of(utterances), [u.id for u in utterances]
    plain = FeatureDataset(built, ids, labels, Statistics.identity(6))
    assert plain.ratings is None
    assert dataset.collate([plain[0], plain[1]]).ratings is None


def test_a_batch_is_padded_with_zeros_to_its_longest_row():
    rows = [
        Row("a", np.ones((2, 3), dtype=np.float32), 1),
        Row("b", np.full((4, 3), 2.0, dtype=np.float32), 0),
    ]
    batch = dataset.collate(rows)
    assert batch.ids == ("a", "b")
    assert batch.inputs.shape == (2, 4, 3)
    assert batch.lengths.tolist() == [2, 4]
    assert batch.labels.tolist() == [1, 0]
    assert batch.inputs[0, 2:].abs().sum() == 0
    assert torch.equal(batch.inputs[1], torch.full((4, 3), 2.0))


SHARES = {"clean": 0.25, "speed_0.9": 0.75}


@pytest.fixture
def with_copies(tmp_path):
    """Utterances, and their store with a copy."""
    utterances = synthetic.corpus()
    return utterances, synthetic.feature_store(tmp_path / "mfcc", utterances, copies=["speed_0.9"])


def test_statistics_of_copies_count_their_frames_by_their_shares(with_copies):
    utterances, built = with_copies
    ids = synthetic.fold_of(utterances).train
    found = dataset.fit_statistics(built, ids, DrawnCopies(built, SHARES, seed=0))
    blocks = {
        copy: np.concatenate([built.of_copy(copy)[id_] for id_ in ids]).astype(np.float64)
        for copy in SHARES
    }
    frames = np.concatenate(list(blocks.values()))
    weights = np.concatenate([np.full(len(blocks[copy]), SHARES[copy]) for copy in blocks])
    mean = np.average(frames, axis=0, weights=weights)
    std = np.sqrt(np.average(np.square(frames - mean), axis=0, weights=weights))
    np.testing.assert_allclose(found.mean, mean, rtol=FORMULA, atol=FORMULA)
    np.testing.assert_allclose(found.std, std, rtol=FORMULA)


def test_clean_alone_has_the_statistics_of_the_store_to_the_byte(with_copies):
    utterances, built = with_copies
    ids = synthetic.fold_of(utterances).train
    drawn = dataset.fit_statistics(built, ids, DrawnCopies(built, {"clean": 1.0}, seed=0))
    plain = dataset.fit_statistics(built, ids)
    assert drawn.mean.tobytes() == plain.mean.tobytes()
    assert drawn.std.tobytes() == plain.std.tobytes()


def test_an_epoch_chooses_frames_and_lengths_together(with_copies):
    utterances, built = with_copies
    ids = [u.id for u in utterances]
    copies, labels = DrawnCopies(built, SHARES, seed=0), synthetic.label_of(utterances)
    rows = FeatureDataset(built, ids, labels, Statistics.identity(6), copies=copies)
    seen = []
    for epoch in (1, 2, 1):
        rows.set_epoch(epoch)
        assert rows.lengths == [len(rows[number].frames) for number in range(len(rows))]
        for number, id_ in enumerate(ids):
            np.testing.assert_array_equal(rows[number].frames, copies.draw(id_, epoch)[id_])
        seen.append(list(rows.lengths))
    assert seen[0] == seen[2] != seen[1]


@pytest.mark.parametrize("room", [0, 1000, dataset._KEPT_BYTES])
def test_what_is_kept_for_the_next_epoch_is_what_would_be_computed(with_copies, monkeypatch, room):
    monkeypatch.setattr(dataset, "_KEPT_BYTES", room)
    utterances, built = with_copies
    ids, labels = [u.id for u in utterances], synthetic.label_of(utterances)
    copies = DrawnCopies(built, SHARES, seed=0)
    statistics = Statistics(np.full(6, 0.5, np.float32), np.full(6, 2.0, np.float32))
    rows = FeatureDataset(built, ids, labels, statistics, copies=copies)
    for epoch in (1, 2, 1):
        rows.set_epoch(epoch)
        for number, id_ in enumerate(ids):
            expected = statistics.apply(copies.draw(id_, epoch)[id_])
            np.testing.assert_array_equal(rows[number].frames, expected)
    kept = sum(frames.nbytes for frames in rows._kept.values())
    assert kept <= room
    assert (kept > 0) == (room > 0)


def test_rows_of_one_length_are_a_batch_without_padding():
    rows = [Row(f"u{n}", np.full((3, 2), n, np.float32), n) for n in range(3)]
    batch = dataset.collate(rows)
    assert batch.inputs.shape == (3, 3, 2)
    assert batch.inputs[:, 0, 0].tolist() == [0, 1, 2]
    assert batch.lengths.tolist() == [3, 3, 3]
    batch.inputs.add_(1)
    assert rows[0].frames.max() == 0  # what is kept for the next epoch stays as it is
