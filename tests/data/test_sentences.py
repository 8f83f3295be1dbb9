import dataclasses
from collections import Counter

import pytest

from ser.data import leakage, sentences, splits
from ser.data.protocols import PARTS, SplitParams
from ser.errors import SplitError
from tests import synthetic


def scripted(num_sentences, *, per_speaker=None):
    """Everybody says every sentence in every emotion."""
    utterances = synthetic.corpus(per_speaker=per_speaker or num_sentences)
    return [
        dataclasses.replace(u, text=f"Sentence {int(u.id[-1]) % num_sentences}.")
        for u in utterances
    ]


def split(utterances, **params):
    return splits.split(utterances, SplitParams(protocol="text", **params))


def said(utterances, fold):
    by_id = {u.id: u for u in utterances}
    return {
        part: (
            {by_id[id_].speaker for id_ in fold.part(part)},
            {by_id[id_].text for id_ in fold.part(part)},
        )
        for part in PARTS
    }


@pytest.mark.parametrize(("num_sentences", "num_groups"), [(3, 5), (6, 3), (8, 5), (9, 9)])
def test_no_part_shares_a_speaker_or_a_sentence_with_another(num_sentences, num_groups):
    utterances = scripted(num_sentences)
    folds = split(utterances, num_sentence_groups=num_groups)
    assert len(folds) == 5 * min(num_groups, num_sentences)
    for fold in folds:
        parts = said(utterances, fold)
        for first, second in (("train", "dev"), ("train", "test"), ("dev", "test")):
            assert parts[first][0].isdisjoint(parts[second][0])
            assert parts[first][1].isdisjoint(parts[second][1])


@pytest.mark.parametrize("num_sentences", [2, 5, 8])
def test_every_utterance_is_tested_exactly_once(num_sentences):
    utterances = scripted(num_sentences)
    tested = Counter(id_ for fold in split(utterances) for id_ in fold.test)
    assert tested == Counter(u.id for u in utterances)


def test_of_two_sentences_dev_has_the_one_of_train():
    utterances = scripted(2)
    folds = split(utterances)
    assert len(folds) == 10
    for fold in folds:
        parts = said(utterances, fold)
        assert parts["dev"][1] == parts["train"][1]
        assert parts["test"][1].isdisjoint(parts["train"][1])
        assert parts["dev"][0].isdisjoint(parts["train"][0])


def test_train_loses_only_what_shares_a_speaker_or_a_sentence():
    utterances = scripted(5)
    fold = split(utterances)[0]
    parts = said(utterances, fold)
    assert [len(parts[part][1]) for part in PARTS] == [3, 1, 1]
    assert [len(parts[part][0]) for part in PARTS] == [6, 2, 2]
    # A sentence that only the tested speakers say takes nothing from train.
    alone = [
        dataclasses.replace(u, text=f"{u.text} {u.session}") if u.id.endswith("_4") else u
        for u in utterances
    ]
    folds = split(alone, num_sentence_groups=9)
    assert max(len(said(alone, fold)["train"][1]) for fold in folds) > 3


def test_dev_takes_as_many_groups_as_give_it_every_emotion():
    utterances = [u for u in scripted(5) if not (u.emotion == "sad" and u.text == "Sentence 1.")]
    folds = split(utterances)
    assert {len(said(utterances, fold)["dev"][1]) for fold in folds} == {1, 2}


def test_what_no_fold_can_test_is_in_none():
    # Sad is said in one sentence alone: whoever tests it has nothing sad to train on.
    utterances = [u for u in scripted(5) if u.emotion != "sad" or u.text == "Sentence 0."]
    with pytest.raises(SplitError, match="no fold has every emotion in train and in dev"):
        split(utterances)
    utterances = [
        u
        for u in scripted(5)
        if u.emotion != "sad" or u.text in ("Sentence 0.", "Sentence 1.", "Sentence 2.")
    ]
    folds = split(utterances)
    assert all(
        {u.emotion for u in utterances if u.id in fold.train} == set(synthetic.EMOTIONS)
        for fold in folds
    )


def test_sentences_are_the_same_whatever_their_case_and_punctuation():
    utterances = [
        dataclasses.replace(u, text=str(u.text).upper().replace(".", "!"))
        if u.speaker[-1] == "M"
        else u
        for u in scripted(5)
    ]
    assert len(split(utterances)) == 25


def test_utterances_without_words_are_named():
    utterances = scripted(5)
    utterances[3] = dataclasses.replace(utterances[3], text=None)
    with pytest.raises(SplitError, match=f"1 of 200 have none: '{utterances[3].id}'"):
        split(utterances)


@pytest.mark.parametrize(
    ("utterances", "problem"),
    [
        ([u for u in scripted(5) if u.session < "Ses03"], "at least 3 sessions of speakers"),
        (scripted(1), "at least two sentences"),
    ],
)
def test_a_corpus_that_cannot_be_dealt_so_is_refused(utterances, problem):
    with pytest.raises(SplitError, match=problem):
        split(utterances)


def test_groups_are_alike_in_size_and_emotions():
    utterances = scripted(9)
    tested = [
        Counter(id_.split("_")[1] for id_ in fold.test)
        for fold in split(utterances, num_sentence_groups=3)
    ]
    assert set(map(frozenset, (count.items() for count in tested))) == {
        frozenset(dict.fromkeys(synthetic.EMOTIONS, 6).items())
    }


def test_the_audit_accepts_them_and_says_what_each_fold_leaves_out():
    utterances = scripted(5)
    records = leakage.audit(split(utterances), utterances, "text")
    assert {r.shared[pair].sentences.num_shared for r in records for pair in r.shared} == {0}
    assert records[0].left_out == {
        "sentence of dev": 24, "sentence of test": 24, "speaker of dev": 32, "speaker of test": 32,
    }  # fmt: skip


def test_words_are_compared_without_case_and_punctuation():
    assert sentences.normalise(" It's  FINE — really? ") == "its fine really"
    assert sentences.normalise("it\u2019s fine, really") == "its fine really"
