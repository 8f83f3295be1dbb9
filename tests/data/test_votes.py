import pytest

from ser.data import votes
from tests import synthetic

EMOTION_OF = {
    "Anger": "angry", "Excited": "happy", "Happiness": "happy", "Neutral": "neutral",
    "Sadness": "sad", "Frustration": "frustrated",
}  # fmt: skip
CARD = synthetic.card(vote_emotions=EMOTION_OF)
SAID = {
    "agreed": {"Sadness": 3},
    "merged": {"Happiness": 1, "Excited": 2, "Neutral": 1},
    "partly": {"Anger": 1, "Frustration": 2, "Other": 1},
    "outside": {"Frustration": 2, "Other": 1},
    "unrated": None,
}


def corpus(**changes):
    said = {**SAID, **changes}
    other = synthetic.utterance("no class", emotion=None, label="fru", votes={"Anger": 1})
    return [*(synthetic.utterance(id_, votes=given) for id_, given in said.items()), other]


def test_votes_are_mapped_as_labels_are_and_those_for_no_class_are_left_out():
    found = votes.of_corpus(corpus(), CARD)
    assert found.counts_of == {
        "agreed": (0, 0, 0, 3), "merged": (0, 3, 1, 0), "partly": (1, 0, 0, 0),
    }  # fmt: skip
    assert found.shares_of("merged") == (0.0, 0.75, 0.25, 0.0)
    assert found.shares_of("partly") == (1.0, 0.0, 0.0, 0.0)
    assert found.are_there


def test_utterances_and_votes_that_say_nothing_are_counted_and_said():
    found = votes.of_corpus(corpus(), CARD)
    assert (found.num_utterances, found.num_unrated, found.num_outside) == (5, 1, 1)
    assert found.share_left_out == pytest.approx(6 / 14)
    assert found.statement == (
        "3 of 5 utterances have votes for the classes (1 have no votes, 1 none for a class); "
        "42.9 % of the votes are for none of the classes and are left out"
    )


def test_where_nobody_voted_for_a_class_the_label_is_certain():
    label_of = dict(zip(SAID, (3, 1, 0, 2, 1), strict=True))
    assert votes.of_corpus(corpus(), CARD).targets(label_of) == {
        "agreed": (0.0, 0.0, 0.0, 1.0),
        "merged": (0.0, 0.75, 0.25, 0.0),
        "partly": (1.0, 0.0, 0.0, 0.0),
        "outside": (0.0, 0.0, 1.0, 0.0),
        "unrated": (0.0, 1.0, 0.0, 0.0),
    }


def test_another_class_keeps_the_votes_that_are_for_it():
    card = synthetic.card(vote_emotions=EMOTION_OF, emotions=("angry", "sad", "frustrated"))
    found = votes.of_corpus(corpus(), card)
    assert found.shares_of("partly") == pytest.approx((1 / 3, 0.0, 2 / 3))
    assert found.shares_of("outside") == (0.0, 0.0, 1.0)
    assert "merged" not in found.counts_of


def test_a_corpus_without_votes_or_whose_votes_nobody_maps_has_none():
    bare = votes.of_corpus(corpus(agreed=None, merged=None, partly=None, outside=None), CARD)
    assert (bare.are_there, bare.num_unrated, bare.share_left_out) == (False, 5, 0.0)
    unmapped = votes.of_corpus(corpus(), synthetic.card(vote_emotions={}))
    assert (unmapped.are_there, unmapped.num_outside, unmapped.share_left_out) == (False, 4, 1.0)
