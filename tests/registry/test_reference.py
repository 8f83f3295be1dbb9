from dataclasses import replace

import numpy as np
import pytest

from ser.errors import AudioError, BundleError
from ser.evaluation import familiarity
from ser.project import Project
from ser.registry import packing, reference
from ser.registry.bundle import ServingParams
from ser.registry.packing import TrainedCell
from ser.training.saved_fold import SavedFold


@pytest.fixture
def cell(trained):
    return TrainedCell(Project(), "lstm-aam")


@pytest.fixture
def fold(cell):
    return reference.inputs_of(cell.project, packing.choose(cell, fold=2)).folds[1]


@pytest.fixture
def network(cell):
    record = packing.choose(cell, fold=2)
    saved = cell.saved(2, 0)
    return reference.network_of(saved, record, reference.inputs_of(cell.project, record))


def members(cell, ids):
    return [item for item in cell.utterances if item.id in set(ids)]


def of_fold(cell, network, fold, *, has_seen_dev=False, **params):
    return reference.of_fold(
        network,
        fold,
        members(cell, fold.dev),
        params=ServingParams(**params),
        has_seen_dev=has_seen_dev,
    )


def test_its_embeddings_are_those_that_training_kept(cell, network, fold):
    kept = SavedFold(cell.files.fold(2, 0).folder).read_embeddings()
    np.testing.assert_allclose(network.embeddings(fold.test), kept["embeddings"], rtol=1e-4)
    np.testing.assert_array_equal(network.labels(fold.test), kept["labels"])


def test_dev_is_compared_with_train(cell, network, fold):
    found = of_fold(cell, network, fold)
    gaussians = familiarity.fit(network.embeddings(fold.train), network.labels(fold.train))
    expected = np.sort(gaussians.distances(network.embeddings(fold.dev)))
    np.testing.assert_allclose(found.reference.distances, expected)
    assert found.hearing.compared_with == "dev"
    assert found.hearing.num_compared == len(fold.dev)


def test_weights_that_have_seen_dev_are_compared_with_left_out_speakers(cell, network, fold):
    found = of_fold(cell, network, fold, has_seen_dev=True)
    ids = (*fold.train, *fold.dev)
    embeddings, labels = network.embeddings(ids), network.labels(ids)
    inside = familiarity.fit(embeddings, labels).distances(embeddings)
    assert np.median(found.reference.distances) > np.median(inside)
    assert found.hearing.compared_with == "left-out speakers"
    assert found.hearing.num_compared == len(ids)


def test_the_test_part_has_no_part_in_it(cell, network, fold, monkeypatch):
    before = of_fold(cell, network, fold)
    heard = []
    asked = reference.TrainedNetwork.embeddings
    monkeypatch.setattr(
        reference.TrainedNetwork,
        "embeddings",
        lambda self, ids: (heard.extend(ids), asked(self, ids))[1],
    )
    after = of_fold(cell, network, fold)
    assert set(heard) == {*fold.train, *fold.dev}
    np.testing.assert_array_equal(after.reference.distances, before.reference.distances)


def test_no_speaker_but_one_leaves_utterances_out(cell, network, fold):
    data = replace(network.data, speaker_of=dict.fromkeys(network.data.speaker_of, "one"))
    found = reference.left_out(
        replace(network, data=data),
        fold.train,
        members(cell, fold.dev),
        params=ServingParams(),
    )
    assert found.hearing.num_compared == len(fold.train)


def test_dev_that_is_no_speech_to_the_detector_lowers_the_limit(cell, network, fold):
    # Noise and a tone, which stand for speech in this project.
    assert of_fold(cell, network, fold, min_speech_share=0.5).hearing.min_speech_share == 0.0


@pytest.mark.parametrize(
    ("rate", "limit"), [(0.0, 0.3), (0.1, 0.3), (0.2, 0.4), (0.5, 0.6), (0.9, 0.6)]
)
def test_the_limit_refuses_no_more_of_dev_than_stated(
    cell, network, fold, monkeypatch, rate, limit
):
    shares = iter(np.linspace(0.3, 0.9, 7))
    monkeypatch.setattr(reference, "speech_share", lambda *_: next(shares))
    dev = replace(fold, dev=fold.dev[:7])
    found = of_fold(cell, network, dev, false_alarm_rate=rate, min_speech_share=0.6)
    assert found.hearing.min_speech_share == pytest.approx(limit)
    assert found.hearing.min_familiarity == rate


def test_a_missing_recording_is_named(cell, network, fold, monkeypatch):
    monkeypatch.setattr(Project, "raw", lambda self, corpus: self.root / "nowhere" / corpus)
    with pytest.raises(AudioError, match=r"nowhere/csv/.*missing"):
        of_fold(cell, network, fold)


def test_a_network_that_says_the_same_to_everybody_is_refused(cell, network, fold, monkeypatch):
    monkeypatch.setattr(
        reference.TrainedNetwork, "embeddings", lambda _, ids: np.ones((len(ids), 3))
    )
    for has_seen_dev in (False, True):
        with pytest.raises(BundleError, match=r"lstm-aam: its embeddings cannot be compared"):
            of_fold(cell, network, fold, has_seen_dev=has_seen_dev)
