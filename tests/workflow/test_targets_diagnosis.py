"""What a corpus must hold for what its cells learn."""

import pytest

from ser.workflow import targets_diagnosis
from tests import synthetic


def said(votes, emotions=("angry", "sad")):
    utterances = [synthetic.utterance("a", votes=votes)]
    return targets_diagnosis.without_votes("mine", utterances, emotions, {"A": "angry"})


@pytest.mark.parametrize("votes", [None, {}, {"A": 0}, {"X": 3}])
def test_votes_count_where_they_are_for_a_class(votes):
    assert "mine has none for angry, sad" in said(votes)
    assert said({"A": 1}) is None
    assert said({"A": 1}, emotions=("happy", "sad")) is not None


@pytest.mark.parametrize(("rated", "faults"), [({}, 1), ({"valence": 2.0}, 0)])
def test_without_classes_one_rated_dimension_is_enough(rated, faults):
    utterances = [synthetic.utterance("a", **rated)]
    found = list(targets_diagnosis.unrated("mine", utterances, {"ccc": "ratings"}))
    assert len(found) == faults
