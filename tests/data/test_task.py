import itertools

import pytest

from ser.data import task
from ser.emotion import EMOTIONS, VOCABULARY

SEVEN = (*EMOTIONS, "bored", "disgusted", "fearful")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (("emodb", EMOTIONS), "emodb"),
        (("emodb", SEVEN), "emodb-7-bored-disgusted-fearful"),
        (("emodb", ("angry", "sad")), "emodb-2-angry-sad"),
        (("csv", EMOTIONS, "helpline"), "csv-helpline"),
        (("csv", SEVEN, "helpline"), "csv-helpline-7-bored-disgusted-fearful"),
        (("csv", EMOTIONS, None), "csv"),
        (("csv", (*EMOTIONS, "contempt"), "calls"), "csv-calls-5-contempt"),
        (("csv", ("positive", "negative"), None), "csv-2-positive-negative"),
        (("csv", (), "calls"), "csv-calls-0-ratings"),
        (("iemocap", EMOTIONS, None, "improvised"), "iemocap-improvised"),
        (("csv", ("angry", "sad"), "helpline", "scripted"), "csv-helpline-scripted-2-angry-sad"),
    ],
)
def test_a_task_is_named_by_its_corpus_title_and_unusual_classes(given, name):
    assert task.named(*given) == name


def test_no_two_sets_of_classes_or_titles_share_a_name():
    sets = [
        chosen
        for size in range(2, len(VOCABULARY) + 1)
        for chosen in itertools.combinations(VOCABULARY, size)
    ]
    names = {
        task.named("csv", chosen, title, speech)
        for chosen in sets
        for title in (None, "a", "angry")
        for speech in ("all", "improvised", "scripted")
    }
    assert len(names) == 9 * len(sets)


def test_a_dash_within_a_class_is_none_between_two():
    sets = [("a-b", "c"), ("a", "b-c"), ("a", "b--c"), ("a--b", "c"), ("a", "b")]
    names = {task.named("csv", classes) for classes in sets}
    assert "csv-2-a--b-c" in names
    assert len(names) == len(sets)


def test_another_happy_is_another_task():
    section = {"name": "iemocap", "emotions": EMOTIONS, "merge_excited": True}
    six = (*EMOTIONS, "excited", "frustrated")
    apart = {**section, "merge_excited": False}
    assert task.of_section(section) == "iemocap"
    assert task.of_section(apart) == "iemocap-without_excited"
    assert task.of_section({**apart, "emotions": six}) == "iemocap-6-excited-frustrated"


def test_of_two_corpora_each_says_what_is_studied_of_it():
    acted = {"name": "iemocap", "speech": "scripted", "merge_excited": False}
    table = {"name": "csv", "title": "calls", "speech": "improvised"}
    there = {**table, "name": "calls-to-iemocap", "emotions": EMOTIONS, "tested_on": acted}
    assert task.of_section(there) == "calls-improvised-to-iemocap-without_excited-scripted"
    back = {**acted, "name": "iemocap-to-calls", "emotions": ("angry", "sad"), "tested_on": table}
    name = "iemocap-without_excited-scripted-to-calls-improvised-2-angry-sad"
    assert task.of_section(back) == name


def test_a_section_of_params_has_a_task():
    section = {"name": "csv", "title": "helpline", "emotions": ["angry", "sad"]}
    assert task.of_section(section) == "csv-helpline-2-angry-sad"
    assert task.of_section({"name": "emodb", "emotions": list(EMOTIONS)}) == "emodb"
    section = {"name": "demo", "emotions": list(EMOTIONS), "speech": "scripted"}
    assert task.of_section(section) == "demo-scripted"
