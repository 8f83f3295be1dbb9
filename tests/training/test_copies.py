"""Training on copies: each utterance is heard in one of them, drawn anew in every epoch."""

import dataclasses

import numpy as np
import pytest
import torch

from ser.errors import StaleFeaturesError
from ser.features.dataset import fit_statistics
from ser.features.drawn_copies import DrawnCopies
from ser.features.store import FeatureStore
from ser.training import fit
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fold import FoldData
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.training.support import CAME_FROM, killed, make_context, make_plan

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
    assert not expected.copies.equals(judged.copies)
    assert not same(expected, train(corrupted(tmp_path / "heard", fold.train), copies=SHARES))


def test_statistics_are_those_of_what_is_drawn(data):
    plain, heard = train(data), train(data, copies=SHARES)
    # The copies lie 0.1 and 0.2 above clean, with a third each, and their last frames count more.
    assert (heard.statistics.mean > plain.statistics.mean).all()


def test_a_copy_that_the_features_lack_is_refused(fold_data):
    with pytest.raises(StaleFeaturesError, match=r"features\.mfcc\.copies and run `dvc repro"):
        train(fold_data, copies=SHARES)


def test_the_test_part_is_heard_under_every_copy_but_clean(data, fold_data):
    found = train(data)
    assert train(fold_data).copies is None
    assert same(found, train(fold_data))
    assert list(found.copies.columns) == [
        "utterance_id", "fold", "seed", "copy", "truth", "prediction",
        "probability_angry", "probability_happy", "probability_neutral", "probability_sad",
    ]  # fmt: skip
    tested = found.predictions.query("part == 'test'").reset_index(drop=True)
    for copy in ("speed_0.9", "speed_1.1"):
        heard = found.copies[found.copies["copy"] == copy].reset_index(drop=True)
        assert heard[["utterance_id", "truth"]].equals(tested[["utterance_id", "truth"]])
        assert (heard["probability_sad"] != tested["probability_sad"]).any()
    assert set(found.copies["copy"]) == {"speed_0.9", "speed_1.1"}


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("normalisation", ["fold", "speaker"])
def test_what_reads_test_answers_for_a_copy_as_for_the_same_frames(
    data, utterances, monkeypatch, refit, normalisation
):
    groups = {utterance.id: utterance.speaker for utterance in utterances}
    given = dataclasses.replace(data, group_of=None if normalisation == "fold" else groups)
    monkeypatch.setattr(FeatureStore, "of_copy", lambda self, _: self)
    plan = make_plan(TrainingParams(refit=refit), normalisation=normalisation)
    found = folds.train_fold(plan, given, make_context())
    tested = found.predictions.query("part == 'test'").drop(columns="part")
    for _, heard in found.copies.groupby("copy"):
        assert heard.drop(columns="copy").to_numpy().tolist() == tested.to_numpy().tolist()


def test_corrupting_every_test_label_changes_no_weight_and_nothing_that_is_said_of_copies(data):
    wrong = {**data.label_of, **{id_: (data.label_of[id_] + 1) % 4 for id_ in data.fold.test}}
    honest = train(data, copies=SHARES)
    corrupted = train(dataclasses.replace(data, label_of=wrong), copies=SHARES)
    assert same(honest, corrupted)
    said = [name for name in honest.copies.columns if name != "truth"]
    assert honest.copies[said].equals(corrupted.copies[said])
    assert (honest.copies["truth"] != corrupted.copies["truth"]).all()


def test_a_saved_fold_holds_what_was_said_of_copies_and_no_file_without_any(
    data, fold_data, tmp_path
):
    found = train(data)
    saved = folds.save(found, tmp_path / "with", fold=1, seed=0, came_from=CAME_FROM)
    assert saved.read_copies().equals(found.copies)
    assert saved.is_complete(with_copies=True)
    alone = folds.save(train(fold_data), tmp_path / "without", fold=1, seed=0, came_from=CAME_FROM)
    assert not alone.copies.exists()
    assert alone.is_complete()
    assert not alone.is_complete(with_copies=True)
