import dataclasses

import pytest

from ser.data import official, splits
from ser.data.protocols import PARTS, SplitParams
from ser.errors import SplitError
from tests import synthetic

NAMES = {
    "Ses01": "Train",
    "Ses02": "Train",
    "Ses03": "Development",
    "Ses04": "Test1",
    "Ses05": "Test2",
}
TESTED = {"Test1": "test", "Test2": None}


def with_parts(names=NAMES):
    return [
        dataclasses.replace(u, parts={"1": names[u.session]} if names[u.session] else None)
        for u in synthetic.corpus()
    ]


def with_folds(names):
    return [dataclasses.replace(u, fold=names[u.session]) for u in synthetic.corpus()]


def split(utterances, **params):
    return splits.split(utterances, SplitParams(protocol="file", **params))


def sessions(fold):
    return {part: {id_[:5] for id_ in fold.part(part)} for part in PARTS}


def test_parts_make_one_fold_and_what_maps_to_null_takes_none():
    (fold,) = split(with_parts(), part_map=TESTED)
    assert sessions(fold) == {"train": {"Ses01", "Ses02"}, "dev": {"Ses03"}, "test": {"Ses04"}}


@pytest.mark.parametrize(
    "words",
    [("train", "dev", "test"), ("TRAINING", "Validation", " eval"), ("Train", "val", "Test")],
)
def test_usual_names_of_parts_need_no_map(words):
    train, dev, test = words
    names = dict(zip(NAMES, (train, train, dev, test, test), strict=True))
    assert sessions(split(with_parts(names))[0])["test"] == {"Ses04", "Ses05"}


def test_a_map_goes_before_the_usual_meaning():
    names = dict(zip(NAMES, ("train", "train", "train", "dev", "test"), strict=True))
    (fold,) = split(with_parts(names), part_map={"dev": "test", "test": "dev"})
    assert sessions(fold)["test"] == {"Ses04"}


def test_unknown_names_of_parts_are_refused_all_at_once():
    with pytest.raises(SplitError, match=r"'Test1' \(16 utterances\), 'Test2' \(16 .*part_map"):
        split(with_parts())


def test_a_map_of_a_name_that_nobody_has_is_refused():
    with pytest.raises(SplitError, match=r"maps 'Test3', which no utterance has"):
        split(with_parts(), part_map={**TESTED, "Test3": None})


def test_utterances_in_no_part_are_named():
    with pytest.raises(SplitError, match=r"16 of 80 utterances are in no part: 'Ses02F_angry_0'"):
        split(with_parts({**NAMES, "Ses02": None}), part_map=TESTED)


def test_utterances_without_an_emotion_of_the_study_need_no_part():
    other = synthetic.utterance("frustrated", emotion=None)
    assert len(split([*with_parts(), other], part_map=TESTED)) == 1


def test_without_a_dev_part_some_speakers_of_train_choose():
    names = dict(zip(NAMES, ("train", "train", "train", "train", "test"), strict=True))
    (fold,) = split(with_parts(names), dev_fraction=0.2)
    speakers = {part: {id_[:6] for id_ in fold.part(part)} for part in PARTS}
    assert len(speakers["dev"]) == 2  # 16 of 64 utterances: the least that is a fifth
    assert len(speakers["train"]) == 6
    assert speakers["dev"].isdisjoint(speakers["train"])
    assert split(with_parts(names), dev_fraction=0.2) == [fold]
    drawn = {split(with_parts(names), seed=seed)[0].dev for seed in range(5)}
    assert len(drawn) > 1


def test_one_speaker_of_train_cannot_choose_too():
    names = dict(zip(NAMES, ("train", None, None, None, "test"), strict=True))
    used = [u for u in with_parts(names) if u.parts and u.speaker != "Ses01M"]
    with pytest.raises(SplitError, match="no utterance of the study's emotions in dev"):
        split(used)


def test_an_empty_part_is_named():
    with pytest.raises(
        SplitError, match=r"fold 1 has no utterance .* in test; its words .*'Train'"
    ):
        split(with_parts(), part_map={**TESTED, "Test1": None})


def test_each_fold_of_the_corpus_is_tested_and_the_next_one_chooses():
    names = dict(zip(NAMES, ("10", "2", "1", "2", "1"), strict=True))
    folds = split(with_folds(names))
    assert [sessions(fold)["test"] for fold in folds] == [
        {"Ses03", "Ses05"},
        {"Ses02", "Ses04"},
        {"Ses01"},
    ]
    assert sessions(folds[2]) == {
        "train": {"Ses02", "Ses04"},
        "dev": {"Ses03", "Ses05"},
        "test": {"Ses01"},
    }


def test_two_folds_leave_none_to_train_on():
    names = dict(zip(NAMES, "ababa", strict=True))
    with pytest.raises(SplitError, match=r"at least 3 folds.*the corpus has 2: 'a', 'b'"):
        split(with_folds(names))


def test_folds_have_no_use_for_a_map_of_parts():
    names = dict(zip(NAMES, "abcde", strict=True))
    with pytest.raises(SplitError, match="part_map maps 'a', which no utterance has"):
        split(with_folds(names), part_map={"a": "test"})


def listed(part_of):
    """Three folds: `part_of(session, fold)` is the part."""
    return [
        dataclasses.replace(u, parts={k: part_of(int(u.session[-1]), int(k)) for k in "123"})
        for u in synthetic.corpus(num_sessions=3)
    ]


def test_lists_of_several_folds_choose_on_what_the_next_one_tests():
    folds = split(listed(lambda session, k: "test" if session == k else "train"))
    assert [sessions(fold) for fold in folds] == [
        {"train": {"Ses03"}, "dev": {"Ses02"}, "test": {"Ses01"}},
        {"train": {"Ses01"}, "dev": {"Ses03"}, "test": {"Ses02"}},
        {"train": {"Ses02"}, "dev": {"Ses01"}, "test": {"Ses03"}},
    ]


def test_lists_that_name_a_dev_part_keep_it():
    folds = split(listed(lambda session, k: ("train", "valid", "test")[(session - k) % 3]))
    assert sessions(folds[0]) == {"train": {"Ses01"}, "dev": {"Ses02"}, "test": {"Ses03"}}


def test_an_utterance_that_two_folds_test_is_refused():
    utterances = listed(lambda session, _: ("train", "valid", "test")[session - 1])
    with pytest.raises(SplitError, match="16 utterances are tested by more than one fold: 'Ses03F"):
        split(utterances)


def test_an_utterance_that_a_fold_does_not_list_is_named():
    utterances = listed(lambda session, k: ("train", "valid", "test")[(session - k) % 3])
    utterances[0] = dataclasses.replace(utterances[0], parts={"1": "train", "3": "test"})
    with pytest.raises(SplitError, match=r"fold 2: 1 of 48 utterances .*'Ses01F_angry_0'"):
        split(utterances)


def test_a_corpus_without_parts_is_refused_with_the_cure():
    with pytest.raises(SplitError, match=r"corpus\.columns\.part or corpus\.columns\.fold"):
        split(synthetic.corpus())


def test_folds_and_parts_do_not_go_together():
    utterances = with_parts()
    utterances[0] = dataclasses.replace(utterances[0], parts=None, fold="1")
    with pytest.raises(SplitError, match="have folds and parts"):
        split(utterances, part_map=TESTED)


@pytest.mark.parametrize("protocol", ["session", "random", "text"])
@pytest.mark.parametrize("utterances", [with_parts(), with_folds(dict.fromkeys(NAMES, "1"))])
def test_no_other_protocol_passes_over_the_corpus_own_parts(protocol, utterances):
    with pytest.raises(SplitError, match=f"protocol {protocol} would pass that over"):
        official.require_dealt(utterances, SplitParams(protocol=protocol))
    with pytest.raises(SplitError, match="would pass that over"):
        splits.split(utterances, SplitParams(protocol=protocol))
