import dataclasses
import random

import pytest

from ser.data import splits
from ser.data.protocols import PARTS, SplitParams
from ser.data.splits import Fold
from ser.errors import SplitError
from tests import synthetic


def by_part(folds, utterances, key):
    value = {u.id: getattr(u, key) for u in utterances}
    return [{p: {value[i] for i in fold.part(p)} for p in PARTS} for fold in folds]


def test_session_protocol_tests_each_session_and_chooses_on_the_next():
    utterances = synthetic.corpus()
    folds = splits.split(utterances, SplitParams(protocol="session"))
    sessions = by_part(folds, utterances, "session")
    names = [f"Ses0{number}" for number in range(1, 6)]
    for index, parts in enumerate(sessions):
        assert folds[index].number == index + 1
        assert parts["test"] == {names[index]}
        assert parts["dev"] == {names[(index + 1) % 5]}
        assert parts["train"] == set(names) - parts["test"] - parts["dev"]


def test_speaker_protocol_tests_each_speaker_and_chooses_on_the_partner():
    utterances = synthetic.corpus()
    folds = splits.split(utterances, SplitParams(protocol="speaker"))
    speakers = by_part(folds, utterances, "speaker")
    assert [next(iter(parts["test"])) for parts in speakers] == sorted(
        {u.speaker for u in utterances}
    )
    for parts in speakers:
        (test,), (dev,) = parts["test"], parts["dev"]
        assert test[:5] == dev[:5]
        assert test != dev
        assert not any(speaker.startswith(test[:5]) for speaker in parts["train"])


def test_speaker_protocol_walks_through_sessions_of_more_than_two():
    utterances = [
        dataclasses.replace(u, session=f"group {int(u.session[-1]) % 2}")
        for u in synthetic.corpus(num_sessions=4)
    ]
    folds = splits.split(utterances, SplitParams(protocol="speaker"))
    assert len(folds) == 8
    assert all(len(parts["dev"]) == 1 for parts in by_part(folds, utterances, "speaker"))


def test_superb_protocol_chooses_on_a_fifth_of_the_other_sessions():
    utterances = synthetic.corpus()
    folds = splits.split(utterances, SplitParams(protocol="superb"))
    for fold, parts in zip(folds, by_part(folds, utterances, "session"), strict=True):
        assert len(parts["test"]) == 1
        assert parts["test"].isdisjoint(parts["train"] | parts["dev"])
        assert len(fold.dev) == round(0.2 * (len(fold.dev) + len(fold.train)))


def test_random_protocol_is_stratified_and_tests_every_utterance_once():
    utterances = synthetic.corpus(per_speaker=5)
    folds = splits.split(utterances, SplitParams(protocol="random", num_folds=5))
    tested = [id_ for fold in folds for id_ in fold.test]
    assert sorted(tested) == sorted(u.id for u in utterances)
    emotion_of = {u.id: u.emotion for u in utterances}
    for fold in folds:
        counts = [sum(emotion_of[i] == e for i in fold.test) for e in set(emotion_of.values())]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("protocol", ["session", "speaker", "superb", "text", "random"])
def test_folds_depend_on_ids_and_not_on_the_order_they_come_in(protocol):
    utterances = [
        dataclasses.replace(u, text=f"Sentence {u.id[-1]}.")
        for u in synthetic.corpus(per_speaker=3)
    ]
    shuffled = random.Random(1).sample(utterances, len(utterances))
    params = SplitParams(protocol=protocol)
    assert splits.split(utterances, params) == splits.split(shuffled, params)


@pytest.mark.parametrize("protocol", ["superb", "random"])
def test_random_choices_follow_the_seed(protocol):
    utterances = synthetic.corpus(per_speaker=3)
    first, second = (
        splits.split(utterances, SplitParams(protocol=protocol, seed=seed)) for seed in (0, 1)
    )
    assert first != second


def test_utterances_without_an_emotion_of_the_study_take_no_part():
    other = synthetic.utterance("frustrated", emotion=None)
    folds = splits.split([*synthetic.corpus(), other], SplitParams())
    assert all("frustrated" not in fold.part(part) for fold in folds for part in PARTS)


@pytest.mark.parametrize(
    ("protocol", "utterances", "message"),
    [
        ("session", synthetic.corpus(num_sessions=2), "at least 3 sessions.*Ses01"),
        ("superb", synthetic.corpus(num_sessions=1), "at least 2 sessions"),
        (
            "speaker",
            [u for u in synthetic.corpus() if u.speaker != "Ses03M"],
            r"session 'Ses03' has \['Ses03F'\]",
        ),
        ("random", synthetic.corpus(num_sessions=1, per_speaker=1), "rarest emotion has 2"),
        ("session", [synthetic.utterance("a", emotion=None)], "no utterance"),
    ],
)
def test_a_corpus_that_does_not_fit_the_protocol_is_refused(protocol, utterances, message):
    with pytest.raises(SplitError, match=message):
        splits.split(utterances, SplitParams(protocol=protocol))


def test_a_dev_part_without_an_emotion_is_refused_by_name():
    utterances = [
        u for u in synthetic.corpus() if not (u.session == "Ses02" and u.emotion == "sad")
    ]
    with pytest.raises(SplitError, match="fold 1: no utterance of sad in the dev part"):
        splits.split(utterances, SplitParams())


def test_an_emotion_that_no_fold_tests_is_refused_by_name():
    parts = {"Ses01": "train", "Ses02": "dev", "Ses03": "test"}
    utterances = [
        dataclasses.replace(u, parts={"1": parts[u.session]})
        for u in synthetic.corpus(num_sessions=3)
        if not (u.session == "Ses03" and u.emotion == "sad")
    ]
    with pytest.raises(SplitError, match="no fold tests an utterance of sad"):
        splits.split(utterances, SplitParams(protocol="file"))


def test_a_fold_refuses_an_utterance_in_two_parts_and_an_empty_part():
    with pytest.raises(SplitError, match="more than one part"):
        Fold(1, ("a",), ("b",), ("a",))
    with pytest.raises(SplitError, match="the dev part is empty"):
        Fold(1, ("a",), (), ("b",))


def test_folds_survive_the_file(tmp_path):
    folds = splits.split(synthetic.corpus(), SplitParams())
    path = tmp_path / "splits.csv"
    path.write_text(splits.to_csv(folds), encoding="utf-8")
    assert splits.read(path) == folds
    assert path.read_text().splitlines()[0] == "fold,part,utterance_id"


@pytest.mark.parametrize("line", ["x,train,a", "1,valid,a", "1"])
def test_a_damaged_line_of_the_file_is_named(tmp_path, line):
    path = tmp_path / "splits.csv"
    path.write_text(f"fold,part,utterance_id\n1,train,a\n{line}\n", encoding="utf-8")
    with pytest.raises(SplitError, match=r"splits\.csv:3"):
        splits.read(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("fold,part,utterance_id\n", encoding="utf-8")
    with pytest.raises(SplitError, match="no folds"):
        splits.read(path)


def without_sessions(num_without=None):
    utterances = synthetic.corpus(per_speaker=5)
    return [
        dataclasses.replace(u, session=None) if num_without is None or index < num_without else u
        for index, u in enumerate(utterances)
    ]


@pytest.mark.parametrize("protocol", ["session", "speaker", "superb"])
@pytest.mark.parametrize("num_without", [None, 1])
def test_a_protocol_of_sessions_is_refused_by_name_where_one_is_not_known(protocol, num_without):
    with pytest.raises(
        SplitError, match=rf"protocol {protocol} needs the session.*first is 'Ses01F_ang"
    ) as raised:
        splits.split(without_sessions(num_without), SplitParams(protocol=protocol))
    assert "split.protocol: random" in str(raised.value)
    assert "corpus.num_sessions" in str(raised.value)


def test_random_folds_need_no_sessions():
    params = SplitParams(protocol="random")
    assert splits.split(without_sessions(), params) == splits.split(
        synthetic.corpus(per_speaker=5), params
    )


def rated_alone(**changes):
    found = synthetic.corpus(per_speaker=3, rated=True)
    return [dataclasses.replace(u, emotion=None, **changes) for u in found]


@pytest.mark.parametrize("protocol", ["session", "random"])
def test_without_classes_the_rated_utterances_are_dealt(protocol):
    unrated = synthetic.utterance("x", emotion=None)
    folds = splits.split([*rated_alone(), unrated], SplitParams(protocol=protocol))
    tested = [id_ for fold in folds for id_ in fold.test]
    assert sorted(tested) == sorted(u.id for u in rated_alone())


def test_with_classes_what_is_only_rated_takes_no_part():
    unlabelled = synthetic.utterance("x", emotion=None, valence=3.0, session="Ses02")
    params = SplitParams(protocol="session")
    folds = splits.split([*synthetic.corpus(), unlabelled], params)
    assert folds == splits.split(synthetic.corpus(), params)


def test_a_train_or_dev_part_without_a_rating_of_a_dimension_is_refused():
    utterances = [
        dataclasses.replace(u, arousal=None) if u.session == "Ses02" else u for u in rated_alone()
    ]
    with pytest.raises(SplitError, match=r"fold 1: no utterance of rated arousal in the dev part;"):
        splits.split(utterances, SplitParams(protocol="session"))


def test_a_manifest_of_nothing_to_learn_is_refused():
    with pytest.raises(SplitError, match="one of the study's emotions or a rating"):
        splits.split([synthetic.utterance("x", emotion=None)], SplitParams())
