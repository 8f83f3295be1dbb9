import numpy as np
import pytest

from ser.errors import FileError
from ser.features import dataset, normalisation
from ser.features.dataset import FeatureDataset, Statistics
from ser.features.drawn_copies import DrawnCopies
from ser.features.normalisation import GroupNormalisation, GroupStatistics
from tests import synthetic
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric

UTTERANCES = synthetic.corpus(num_sessions=2, per_speaker=3)
SPEAKERS = {u.id: u.speaker for u in UTTERANCES}
SESSIONS = {u.id: u.session for u in UTTERANCES}


@pytest.fixture
def store(tmp_path):
    return synthetic.feature_store(tmp_path / "mfcc", UTTERANCES)


def part(store, ids, chosen):
    return FeatureDataset(store, ids, synthetic.label_of(UTTERANCES), chosen)


def raw(store, ids):
    return np.concatenate([store[id_] for id_ in ids]).astype(np.float64)


@pytest.mark.parametrize("group_of", [SPEAKERS, SESSIONS])
def test_every_group_is_normalised_by_its_own_frames(store, group_of):
    data = part(store, list(SPEAKERS), GroupNormalisation(group_of))
    found = {data.ids[row]: data[row].frames for row in range(len(data))}
    for group in set(group_of.values()):
        ids = [id_ for id_, of in group_of.items() if of == group]
        frames = raw(store, ids)
        for id_ in ids:
            expected = (store[id_] - frames.mean(axis=0)) / frames.std(axis=0)
            np.testing.assert_allclose(found[id_], expected, atol=FORMULA * 4)
            assert found[id_].dtype == np.float32


def test_statistics_of_a_speaker_never_mix_parts(store):
    """Under the protocol `random` a speaker is in several parts."""
    train, test = list(SPEAKERS)[::2], list(SPEAKERS)[1::2]
    assert {SPEAKERS[id_] for id_ in train} == {SPEAKERS[id_] for id_ in test}
    by_speaker = GroupNormalisation(SPEAKERS)
    for ids in (train, test):
        data = part(store, ids, by_speaker)
        for speaker in set(SPEAKERS.values()):
            own = [id_ for id_ in ids if SPEAKERS[id_] == speaker]
            expected = raw(store, own).mean(axis=0)
            np.testing.assert_allclose(data.statistics_of[own[0]].mean, expected, atol=FORMULA)


def test_sums_are_taken_in_the_same_order_whatever_that_of_the_rows(store, monkeypatch):
    fit, taken = normalisation.fit_statistics, []

    def watched(given, ids, copies):
        taken.append(tuple(ids))
        return fit(given, ids, copies)

    monkeypatch.setattr(normalisation, "fit_statistics", watched)
    for order in (list(SPEAKERS), list(SPEAKERS)[::-1]):
        part(store, order, GroupNormalisation(SPEAKERS))
    assert len(taken) == 8
    assert taken[:4] == taken[4:]


def test_copies_count_in_a_speakers_statistics_by_their_shares(tmp_path):
    store = synthetic.feature_store(tmp_path / "mfcc", UTTERANCES, copies=["speed_0.9"])
    copies = DrawnCopies(store, {"clean": 0.25, "speed_0.9": 0.75}, seed=0)
    data = FeatureDataset(
        store,
        list(SPEAKERS),
        synthetic.label_of(UTTERANCES),
        GroupNormalisation(SPEAKERS),
        copies=copies,
    )
    for speaker in set(SPEAKERS.values()):
        own = [id_ for id_ in SPEAKERS if SPEAKERS[id_] == speaker]
        clean, slow = raw(store, own), raw(store.of_copy("speed_0.9"), own)
        weights = np.repeat([0.25, 0.75], [len(clean), len(slow)])
        expected = np.average(np.concatenate([clean, slow]), axis=0, weights=weights)
        np.testing.assert_allclose(data.statistics_of[own[0]].mean, expected, atol=FORMULA)


def test_a_part_without_utterances_has_no_groups(store):
    assert part(store, (), GroupNormalisation(SPEAKERS)).statistics_of == {}


def test_the_folds_own_statistics_serve_all_its_utterances_unchanged(store):
    ids = list(SPEAKERS)
    statistics = dataset.fit_statistics(store, ids[:9])
    data = part(store, ids, statistics)
    assert {id(found) for found in data.statistics_of.values()} == {id(statistics)}
    for row, id_ in enumerate(ids):
        np.testing.assert_array_equal(data[row].frames, statistics.apply(store[id_]))
    assert statistics.record({"train": data}) is statistics


def test_what_a_finished_fold_keeps_is_read_back_by_part_and_group(store, tmp_path):
    ids, by_speaker = list(SPEAKERS), GroupNormalisation(SPEAKERS)
    parts = {name: part(store, ids[start::2], by_speaker) for name, start in
             (("train", 0), ("test", 1))}  # fmt: skip
    path = tmp_path / "statistics.safetensors"
    by_speaker.record(parts).save(path)
    back = GroupStatistics.load(path)
    names = [f"{name}/{speaker}" for name in ("test", "train") for speaker in
             sorted(set(SPEAKERS.values()))]  # fmt: skip
    assert list(back.groups) == names
    for row, name in enumerate(names):
        of_part, speaker = name.split("/")
        own = next(id_ for id_ in parts[of_part].ids if SPEAKERS[id_] == speaker)
        np.testing.assert_array_equal(back.mean[row], parts[of_part].statistics_of[own].mean)
        np.testing.assert_array_equal(back.std[row], parts[of_part].statistics_of[own].std)


def test_whoever_wants_the_statistics_of_a_fold_is_told_that_there_are_none(store, tmp_path):
    by_speaker = GroupNormalisation(SPEAKERS)
    path = tmp_path / "statistics.safetensors"
    by_speaker.record({"train": part(store, list(SPEAKERS), by_speaker)}).save(path)
    with pytest.raises(FileError, match=r"holds statistics of 4 speakers .* `normalisation: fold`"):
        Statistics.load(path)
