"""Stores of two corpora as one."""

import numpy as np
import pytest

from ser.errors import StaleFeaturesError
from ser.features import joined
from ser.features.store import FeatureStore
from tests import synthetic


@pytest.fixture
def stores(tmp_path):
    def make(corpus, num_sessions, **options):
        utterances = synthetic.corpus(num_sessions=num_sessions)
        if corpus == "two":  # other frames of the same ids
            utterances.reverse()
        return synthetic.feature_store(tmp_path / corpus / "mfcc", utterances, **options)

    return make


def test_every_utterance_has_its_frames_in_every_copy_and_none_is_copied(stores, tmp_path):
    one, two = stores("one", 1, copies=["gain_6db"]), stores("two", 2, copies=["gain_6db"])
    found = joined.join(tmp_path / "both", {"one": one, "two": two})
    assert len(found) == len(one) + len(two)
    assert found.copies == ("clean", "gain_6db")
    for copy in found.copies:
        for name, store in (("one", one), ("two", two)):
            for utterance in synthetic.corpus(num_sessions=1):
                mine = found.of_copy(copy)[f"{name}/{utterance.id}"]
                np.testing.assert_array_equal(mine, store.of_copy(copy)[utterance.id])
    assert found.spec == one.spec
    shard = next((tmp_path / "both").glob("shard-*.npy"))
    assert shard.stat().st_nlink > 1


def test_an_id_that_both_have_is_two_utterances(stores, tmp_path):
    one, two = stores("one", 1), stores("two", 1)
    found = joined.join(tmp_path / "both", {"one": one, "two": two})
    assert "one/Ses01F_angry_0" in found
    assert "two/Ses01F_angry_0" in found
    assert "Ses01F_angry_0" not in found


def test_features_that_were_made_otherwise_are_refused(stores, tmp_path):
    one = stores("one", 1)
    with pytest.raises(StaleFeaturesError, match=r"two/mfcc: made otherwise .*in dimension; extr"):
        joined.join(tmp_path / "both", {"one": one, "two": stores("two", 1, num_bins=7)})
    with pytest.raises(StaleFeaturesError, match="they differ in copies"):
        joined.join(tmp_path / "both", {"one": one, "three": stores("three", 1, copies=["pink"])})
    assert not (tmp_path / "both").exists()


def test_joined_anew_replaces_what_was_there(stores, tmp_path):
    one, two = stores("one", 2), stores("two", 1)
    joined.join(tmp_path / "both", {"one": one, "two": two})
    found = joined.join(tmp_path / "both", {"two": two})
    assert len(found) == len(two)
    assert isinstance(found, FeatureStore)
