import pytest

from ser import emotion


def test_the_four_classes_come_first_and_in_their_order():
    assert emotion.EMOTIONS == ("angry", "happy", "neutral", "sad")
    assert emotion.VOCABULARY[:4] == emotion.EMOTIONS
    assert len(set(emotion.VOCABULARY)) == len(emotion.VOCABULARY)


@pytest.mark.parametrize(
    ("declared", "ordered"),
    [
        (["bored", "sad", "angry", "sad"], ("angry", "sad", "bored")),
        (["surprised", "contempt", "sad", "bored"], ("sad", "surprised", "contempt", "bored")),
        (["stressed", "relaxed"], ("stressed", "relaxed")),
        ([], ()),
    ],
)
def test_the_four_come_first_in_their_order_and_the_others_as_declared(declared, ordered):
    assert emotion.in_order(declared) == ordered


@pytest.mark.parametrize("name", ["contempt", "very_sad", "low-arousal", "x", "class2", "a" * 30])
def test_a_short_word_names_a_class(name):
    assert emotion.is_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "Angry", "very sad", "2", "_x", "x_", "x-", "é", "a/b", "a.b", "a" * 31, "null", "nan",
     "sad\n", None, 3],
)  # fmt: skip
def test_what_could_not_stand_in_a_metric_a_column_and_a_model_names_none(name):
    assert not emotion.is_name(name)
