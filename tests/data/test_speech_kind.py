import pytest

from ser.data import speech_kind
from ser.emotion import EMOTIONS
from ser.errors import CorpusError
from tests import synthetic


def of_kinds(*kinds):
    return [synthetic.utterance(f"u{i}", scripted=kind) for i, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("speech", "emotions"),
    [
        ("all", ["neutral", "neutral"]),
        ("improvised", [None, "neutral"]),
        ("scripted", ["neutral", None]),
    ],
)
def test_only_the_speech_that_is_asked_for_is_studied(speech, emotions):
    found = [
        speech_kind.studied_emotion(u, emotions=EMOTIONS, speech=speech)
        for u in of_kinds(True, False)
    ]
    assert found == emotions


def test_an_emotion_outside_the_study_is_none_whatever_the_speech():
    bored = synthetic.utterance("b", emotion="bored")
    assert speech_kind.studied_emotion(bored, emotions=EMOTIONS, speech="all") is None


def test_a_corpus_that_does_not_know_it_is_refused_by_name():
    with pytest.raises(CorpusError, match=r"does not say it of 1 of 2 utterances: 'u1'"):
        speech_kind.require_known(of_kinds(True, None), "improvised", corpus="csv")


@pytest.mark.parametrize(("kind", "word"), [(True, "scripted"), (False, "improvised")])
@pytest.mark.parametrize("speech", ["improvised", "scripted"])
def test_a_corpus_of_one_kind_is_refused_with_the_reason(kind, word, speech):
    with pytest.raises(CorpusError, match=f"corpus emodb: all of it is {word}.*speech: all"):
        speech_kind.require_known(of_kinds(kind, kind), speech, corpus="emodb")


@pytest.mark.parametrize("kinds", [(None, None), (True, True), (True, False)])
def test_all_speech_may_be_studied_of_any_corpus(kinds):
    speech_kind.require_known(of_kinds(*kinds), "all", corpus="emodb")
