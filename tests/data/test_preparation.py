"""Params of a corpus with the classes that it is read for; the rest is in test_prepare.py."""

import pytest

from ser.data import preparation
from ser.data.corpora import csv
from ser.errors import CorpusError
from tests.recordings import write_corpus

WANTED = ("angry", "bored", "sad")


@pytest.fixture
def recordings(tmp_path):
    write_corpus(tmp_path / "csv")
    return tmp_path / "csv"


def test_classes_are_those_that_are_wanted_and_spoken(recordings):
    found = preparation.with_classes(csv.Params(), WANTED, recordings=recordings)
    assert found.emotions == ("angry", "sad")


def test_classes_that_are_said_stay(recordings):
    said = csv.Params(emotions=("happy", "sad"))
    assert preparation.with_classes(said, WANTED, recordings=recordings) == said


def test_one_class_is_too_few_and_what_is_there_is_named(recordings):
    with pytest.raises(CorpusError, match="but it has: angry, happy, neutral, sad"):
        preparation.with_classes(csv.Params(), ("angry", "bored"), recordings=recordings)
