"""Training on copies: each utterance is heard in one of them, drawn anew in every epoch."""

import dataclasses

import numpy as np
import pytest
import torch

from ser.errors import StaleFeaturesError
from ser.features.dataset import fit_statistics
from ser.features.drawn_copies import DrawnCopies
from ser.training import fit
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fold import FoldData
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.training.support import killed, make_context, make_plan

pytestmark = pytest.mark.numeric

SHARES = {"clean": 0.34, "speed_0.9": 0.33, "speed_1.1": 0.33}


def store_of(folder, utterances, copies=("speed_0.9", "speed_1.1")):
    return synthetic.feature_store(folder / "mfcc", utterances, copies=copies)


@pytest.fixture
def data(tmp_path, utterances):
    """A fold whose features have two copies."""
    return FoldData(
        synthetic.fold_of(utterances),
        store_of(tmp_path / "copies", utterances),
        synthetic.label_of(utterances),
    )


def train(data, checkpoint=None, **recipe):
    return folds.train_fold(make_plan(**recipe), data, make_context(checkpoint=checkpoint))


def same(first, second):
    return first.fit.history == second.fit.history and all(
        torch.equal(first.fit.weights[name], second.fit.weights[name]) for name in first.fit.weights
    )


def test_clean_alone_is_training_without_copies_to_the_byte(data, fold_data):
    plain = train(fold_data)
    assert same(plain, train(data))
    assert same(plain, train(data, copies={"clean": 1.0}))
    assert not same(plain, train(data, copies=SHARES))


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_fit_on_copies_that_resumes_ends_with_the_same_bytes(
    data, tmp_path, monkeypatch, stop_after
):
    whole = train(data, num_epochs=5, copies=SHARES)
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch, after=stop_after):
        train(data, checkpoint, num_epochs=5, copies=SHARES)
    resumed = train(data, checkpoint, num_epochs=5, copies=SHARES)
    assert same(whole, resumed)
    assert whole.predictions.equals(resumed.predictions)


def test_a_refit_draws_copies_of_both_parts_and_resumes_to_the_same_bytes(
    data, tmp_path, monkeypatch
):
    plan = make_plan(TrainingParams(refit=True), num_epochs=4, copies=SHARES, mixup=0.3)
    drawn = fit_statistics(
        data.store,
        sorted(data.fold.train + data.fold.dev),
        DrawnCopies(data.store, SHARES, seed=0),
    )
    whole = folds.train_fold(plan, data, make_context())
    np.testing.assert_array_equal(whole.statistics.mean, drawn.mean)
    checkpoints = [Checkpoint(tmp_path / f"{n}.safetensors", f"key {n}") for n in (1, 2)]
    context = dataclasses.replace(
        make_context(), checkpoint=checkpoints[0], refit_checkpoint=checkpoints[1]
    )
    with killed(checkpoints[1], monkeypatch):
        folds.train_fold(plan, data, context)
    resumed = folds.train_fold(plan, data, context)
    assert same(whole, resumed)
    assert whole.predictions.equals(resumed.predictions)


def test_batches_hold_the_copies_that_their_epoch_draws_within_their_bounds(data, monkeypatch):
    batches = []
    monkeypatch.setattr(fit, "augment", lambda batch, _: batches.append(batch) or batch)
    train(data, num_epochs=3, copies=SHARES, max_frames=60, batch_size=8)
    assert all(batch.inputs.shape[0] * batch.inputs.shape[1] <= 60 for batch in batches)
    heard = [
        (id_, length)
        for batch in batches
        for id_, length in zip(batch.ids, batch.lengths.tolist(), strict=True)
    ]
    ids, draw = data.fold.train, DrawnCopies(data.store, SHARES, seed=0).draw
    for epoch in (1, 2, 3):
        expected = {(id_, draw(id_, epoch).num_frames(id_)) for id_ in ids}
        assert set(heard[(epoch - 1) * len(ids) : epoch * len(ids)]) == expected
    # The n-th copy has 2 n frames more.
    assert {length - data.store.num_frames(id_) for id_, length in heard} == {0, 2, 4}


def test_dev_and_test_are_heard_clean(data, tmp_path, utterances, monkeypatch):
    """Whatever their copies hold, nothing changes; what the train part's hold does."""

    def corrupted(folder, ids):
        store = store_of(folder, utterances)
        for copy in ("speed_0.9", "speed_1.1"):
            found = store.of_copy(copy)
            path = found.folder / "shard-00000.npy"
            frames = np.load(path)
            for id_ in ids:
                _, start, num_frames = found._rows[id_]
                frames[start : start + num_frames] = 99.0
            np.save(path, frames)
        return dataclasses.replace(data, store=store)

    fold = data.fold
    expected = train(data, copies=SHARES)
    judged = train(corrupted(tmp_path / "judged", (*fold.dev, *fold.test)), copies=SHARES)
    assert same(expected, judged)
    assert expected.predictions.equals(judged.predictions)
    assert not same(expected, train(corrupted(tmp_path / "heard", fold.train), copies=SHARES))


def test_statistics_are_those_of_what_is_drawn(data):
    plain, heard = train(data), train(data, copies=SHARES)
    # The copies lie 0.1 and 0.2 above clean, with a third each, and their last frames count more.
    assert (heard.statistics.mean > plain.statistics.mean).all()


def test_a_copy_that_the_features_lack_is_refused(fold_data):
    with pytest.raises(StaleFeaturesError, match=r"features\.mfcc\.copies and run `dvc repro"):
        train(fold_data, copies=SHARES)
