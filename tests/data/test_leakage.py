import dataclasses

import pytest

from ser.data import leakage, splits
from ser.data.protocols import SplitParams
from ser.data.splits import Fold
from ser.errors import LeakageError
from tests import synthetic

PROTOCOLS = ("session", "speaker", "superb", "random")


def change(utterances, id_, **values):
    return [dataclasses.replace(u, **values) if u.id == id_ else u for u in utterances]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_folds_of_every_protocol_pass_their_own_audit(protocol):
    utterances = synthetic.corpus(per_speaker=3)
    folds = splits.split(utterances, SplitParams(protocol=protocol))
    records = leakage.audit(folds, utterances, protocol)
    assert [record.fold for record in records] == [fold.number for fold in folds]


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("speaker", {"speaker": "Ses03F"}),
        ("dialogue", {"dialogue": "Ses03_dialogue"}),
        ("session", {"session": "Ses03"}),
        ("audio", {"sha256": None}),
    ],
)
def test_each_kind_of_leak_between_sessions_stops_the_audit_by_name(what, values):
    utterances = synthetic.corpus()
    folds = splits.split(utterances, SplitParams())
    culprit = "Ses01F_sad_0"
    twin = next(u for u in utterances if u.id == "Ses03F_sad_0")
    if what == "audio":
        values = {"sha256": twin.sha256}
    leaky = change(utterances, culprit, **values)
    with pytest.raises(LeakageError, match=f"fold 1: train and test share {what} "):
        leakage.audit(folds, leaky, "session")


def test_all_leaks_are_said_together():
    utterances = synthetic.corpus()
    folds = splits.split(utterances, SplitParams())
    leaky = change(utterances, "Ses01F_sad_0", speaker="Ses03F", dialogue="Ses03_dialogue")
    with pytest.raises(LeakageError) as caught:
        leakage.audit(folds, leaky, "session")
    assert "share speaker 'Ses03F'" in str(caught.value)
    assert "share dialogue 'Ses03_dialogue'" in str(caught.value)


def test_identical_audio_is_refused_even_where_speakers_may_be_shared():
    utterances = synthetic.corpus(per_speaker=3)
    folds = splits.split(utterances, SplitParams(protocol="random"))
    twin = next(u for u in utterances if u.id == folds[0].train[0])
    leaky = change(utterances, folds[0].test[0], sha256=twin.sha256)
    with pytest.raises(LeakageError, match="train and test share audio"):
        leakage.audit(folds, leaky, "random")


def test_only_the_random_protocol_is_speaker_dependent():
    assert {p: leakage.is_speaker_independent(p) for p in PROTOCOLS} == {
        "session": True,
        "speaker": True,
        "superb": True,
        "random": False,
    }


def test_shared_sentences_are_measured_and_allowed():
    utterances = [
        dataclasses.replace(u, text="Excuse me." if u.id.endswith("_0") else u.text)
        for u in synthetic.corpus()
    ]
    folds = splits.split(utterances, SplitParams())
    sentences = leakage.audit(folds, utterances, "session")[0].shared["train-test"].sentences
    assert (sentences.num_shared, sentences.share_of_second_part) == (1, 0.5)


def test_the_record_counts_emotions_and_names_speakers_per_part():
    utterances = synthetic.corpus()
    record = leakage.audit(splits.split(utterances, SplitParams()), utterances, "session")[0]
    assert record.counts["test"] == {"angry": 4, "happy": 4, "neutral": 4, "sad": 4}
    assert record.speakers["test"] == ("Ses01F", "Ses01M")
    assert record.num_utterances == {"train": 48, "dev": 16, "test": 16}


def test_a_fold_of_another_manifest_is_refused():
    utterances = synthetic.corpus()
    fold = Fold(1, (utterances[0].id,), (utterances[1].id,), ("stranger",))
    with pytest.raises(LeakageError, match="'stranger' is not in the manifest"):
        leakage.audit([fold], utterances, "random")


def test_a_session_that_is_not_stated_is_not_shared():
    utterances = [dataclasses.replace(u, session=None) for u in synthetic.corpus(per_speaker=5)]
    folds = splits.split(utterances, SplitParams(protocol="random"))
    for fold in leakage.audit(folds, utterances, "random"):
        assert fold.shared["train-test"].session == ()
        assert fold.shared["train-test"].speaker
        assert fold.sessions == {"train": (), "dev": (), "test": ()}


def in_folds(utterances):
    """The same with the folds of their corpus: each session is one."""
    return [dataclasses.replace(u, fold=u.session) for u in utterances]


def test_parts_of_a_corpus_own_may_follow_other_sessions_and_no_speaker():
    utterances = [dataclasses.replace(u, session="S") for u in in_folds(synthetic.corpus())]
    folds = splits.split(utterances, SplitParams(protocol="file"))
    records = leakage.audit(folds, utterances, "file")
    assert records[0].shared["train-test"].session == ("S",)
    leaky = change(utterances, "Ses01F_sad_0", speaker="Ses03F", dialogue="Ses03_dialogue")
    with pytest.raises(LeakageError, match="share speaker 'Ses03F'") as caught:
        leakage.audit(folds, leaky, "file")
    assert "share dialogue 'Ses03_dialogue'" in str(caught.value)


def test_what_own_parts_share_on_purpose_is_said_and_marked():
    utterances = in_folds(synthetic.corpus())
    folds = splits.split(utterances, SplitParams(protocol="file"))
    leaky = change(utterances, "Ses01F_sad_0", speaker="Ses03F")
    records = leakage.audit(folds, leaky, "file", ("speaker",))
    assert records[0].shared["train-test"].speaker == ("Ses03F",)
    assert leakage.is_speaker_independent("file")
    assert leakage.is_speaker_independent("file", ("dialogue",))
    assert not leakage.is_speaker_independent("file", ("speaker",))


def test_a_sentence_that_text_trains_on_and_tests_is_named():
    utterances = [
        dataclasses.replace(u, text=f"Sentence {u.id[-1]}.")
        for u in synthetic.corpus(per_speaker=5)
    ]
    folds = splits.split(utterances, SplitParams(protocol="text"))
    trained, tested = folds[0].train[0], folds[0].test[0]
    said = next(u.text for u in utterances if u.id == tested)
    leaky = change(utterances, trained, text=str(said).upper())
    with pytest.raises(LeakageError, match="fold 1: train and test share sentence 'sentence 0'"):
        leakage.require_apart(folds, leaky, "text")


def test_parts_of_one_recording_that_overlap_are_in_one_part():
    utterances = synthetic.corpus()
    folds = splits.split(utterances, SplitParams())
    one, other = "Ses01F_sad_0", "Ses03F_sad_0"
    leaky = change(utterances, one, audio="long.wav", start_s=0.0, end_s=2.0)
    apart = change(leaky, other, audio="long.wav", start_s=2.0, end_s=3.0)
    leakage.audit(folds, apart, "session")
    leaky = change(leaky, other, audio="long.wav", start_s=1.9, end_s=3.0)
    with pytest.raises(LeakageError) as caught:
        leakage.audit(folds, leaky, "session")
    assert "fold 1: train and test share some of the recording 'long.wav': " in str(caught.value)
    assert f"'{one}' and '{other}' overlap" in str(caught.value)


def test_sound_is_shared_by_no_two_parts_even_of_the_random_protocol():
    utterances = synthetic.corpus(per_speaker=3)
    folds = splits.split(utterances, SplitParams(protocol="random"))
    leaky = change(utterances, folds[0].train[0], audio="long.wav", start_s=0.0, end_s=2.0)
    leaky = change(leaky, folds[0].test[0], audio="long.wav")
    with pytest.raises(LeakageError, match="train and test share some of the recording"):
        leakage.audit(folds, leaky, "random")
