import pytest

from ser import emotion


def test_the_four_classes_come_first_and_in_their_order():
    assert emotion.EMOTIONS == ("angry", "happy", "neutral", "sad")
    assert emotion.VOCABULARY[:4] == emotion.EMOTIONS
    assert len(set(emotion.VOCABULARY)) == len(emotion.VOCABULARY)


def test_emotions_are_put_in_order_once_each():
    assert emotion.in_order(["bored", "sad", "angry", "sad"]) == ("angry", "sad", "bored")
    assert emotion.in_order([]) == ()


def test_unknown_emotions_are_refused_together_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"\['glad', 'mad'\]; the canonical ones are angry, "):
        emotion.in_order(["mad", "sad", "glad"])
