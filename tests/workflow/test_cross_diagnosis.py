"""What `ser doctor` says of the corpora of cross_corpus is what their stages will say."""

import pytest

from ser.workflow import cross_diagnosis
from tests.recordings import write_corpus
from tests.workflow.support import check


@pytest.fixture
def found(tmp_path):
    """The finding of one further corpus beside EmoDB."""

    def look(name, params, emotions=("angry", "bored", "sad")):
        preset = check(
            corpus={"name": "emodb", "emotions": list(emotions)},
            cross_corpus={"corpora": {name: params}, "cells": {}},
        )
        (finding,) = cross_diagnosis.examine(tmp_path, preset)
        return finding

    return look


def test_nothing_is_said_where_nothing_is_asked(tmp_path):
    assert list(cross_diagnosis.examine(tmp_path, check())) == []


@pytest.mark.parametrize(
    ("name", "params", "cure"),
    [
        ("ravdess", {"name": "ravdess"}, "`ser link-corpus ravdess"),
        ("demo", {"name": "demo"}, "`ser demo-corpus data/raw/demo`"),
        ("mine", {"name": "csv"}, "let data/raw/mine be a link"),
    ],
)
def test_recordings_that_are_not_there_are_a_failure_with_the_cure(found, name, params, cure):
    finding = found(name, params)
    assert (finding.level, finding.detail) == ("fail", f"data/raw/{name} is not there")
    assert cure in finding.cure


def test_a_corpus_that_has_two_of_the_classes_is_fine_and_they_are_named(found, tmp_path):
    write_corpus(tmp_path / "data/raw/mine")
    finding = found("mine", {"name": "csv"})
    assert finding.level == "ok"
    assert finding.detail == "data/raw/mine: 24 utterances, classes angry, sad"


def test_too_few_common_classes_are_a_failure(found, tmp_path):
    write_corpus(tmp_path / "data/raw/mine")
    finding = found("mine", {"name": "csv"}, emotions=("bored", "sad"))
    assert finding.level == "fail"
    assert "two of the classes sad, bored are needed" in finding.detail
    finding = found("mine", {"name": "csv", "emotions": ["happy", "sad"]})
    assert finding.level == "fail"
    assert "of angry, sad, bored it has sad" in finding.detail


def test_another_folder_is_a_failure_with_the_cure(found, tmp_path):
    (tmp_path / "data/raw/ravdess").mkdir(parents=True)
    finding = found("ravdess", {"name": "ravdess"})
    assert finding.level == "fail"
    assert "Actor_01" in finding.detail
    assert "`ser link-corpus ravdess" in finding.cure


def test_ratings_that_a_crossed_cell_learns_must_be_in_the_other_corpus_too(tmp_path):
    write_corpus(tmp_path / "data/raw/mine")
    cells = {"lstm-ccc": {"model": "lstm", "loss": "ccc", "feature": "mfcc"}}

    def finding(targets):
        preset = check(
            losses={"ccc": {"targets": targets}},
            cells=cells,
            cross_corpus={"corpora": {"mine": {"name": "csv"}}, "cells": cells},
        )
        (only,) = cross_diagnosis.examine(tmp_path, preset)
        return only

    assert finding("categories").level == "ok"
    refused = finding("vad")
    assert refused.level == "fail"
    assert "mine has none of valence, arousal, dominance" in refused.detail
