"""What `ser doctor` says of a corpus is what the stages will say of it."""

import csv

import pytest

from ser.emotion import EMOTIONS
from ser.workflow import corpus_diagnosis

SPEAKERS = {"ann": "female", "bob": "male", "cat": "female", "dan": "male"}
CONTENT = {
    "corpus": {"name": "calls", "parser": "csv", "num_sessions": 4},
    "split": {"protocol": "session"},
}


def rows(speakers=SPEAKERS, emotions=EMOTIONS, per_emotion=1):
    return [
        {"path": f"{who}_{what}_{n}.wav", "label": what, "speaker": who, "gender": SPEAKERS[who]}
        for who in speakers
        for what in emotions
        for n in range(per_emotion)
    ]


@pytest.fixture
def found(tmp_path):
    """Level and detail of each finding of a corpus of such rows."""

    def look(rows, *, corpus=None, split=None, **sections):
        folder = tmp_path / "data" / "raw" / (corpus or {}).get("name", "calls")
        folder.mkdir(parents=True)
        for row in rows:
            (folder / row["path"]).touch()
        with (folder / "utterances.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        content = {
            "corpus": {**CONTENT["corpus"], **(corpus or {})},
            "split": {**CONTENT["split"], **(split or {})},
            **sections,
        }
        return list(corpus_diagnosis.examine(tmp_path, content))

    return look


def test_a_corpus_that_the_stages_accept_is_ok(found):
    link, folds = found(rows())
    assert (link.level, link.detail) == ("ok", "data/raw/calls: 16 utterances")
    assert (folds.level, folds.detail) == ("ok", "protocol session: 4")


def test_a_table_without_a_name_of_its_own_is_warned_of(found):
    link, name, folds = found(rows(), corpus={"name": "csv"})
    assert (link.level, name.level, folds.level) == ("ok", "warn", "ok")
    assert "shares data/raw/csv, experiments and models" in name.detail
    assert "`name: <your name>` and `parser: csv`" in name.cure


def refused(findings):
    """Detail of the last finding, which is a failure with the stage's own message."""
    assert findings[-1].level == "fail"
    assert findings[-1].cure
    return findings[-1].detail


def test_a_class_that_nobody_speaks_is_a_failure(found):
    detail = refused(found(rows(emotions=("angry", "sad"))))
    assert "no usable utterance of happy, neutral" in detail


def test_one_speaker_is_a_failure_with_a_way_on(found):
    detail = refused(found(rows(["ann"])))
    assert "cannot be dealt into 4 groups; set corpus.num_sessions: null" in detail
    assert "split.protocol: random" in detail


def test_one_session_is_a_failure(found):
    said = [{**row, "session": "S1"} for row in rows()]
    assert "at least 3 sessions, the corpus has 1: 'S1'" in refused(found(said))


def test_a_class_in_one_session_only_is_a_failure(found):
    kept = [row for row in rows() if row["label"] != "sad" or row["speaker"] == "dan"]
    detail = refused(found(kept))
    assert "no utterance of sad in the" in detail
    assert "(sad is spoken in 'group4' alone)" in detail


def test_a_speaker_in_several_sessions_is_a_failure(found):
    said = [{**row, "session": f"S{row['path'][-5]}"} for row in rows(per_emotion=3)]
    detail = refused(found(said))
    assert "fold 1: train and test share speaker 'ann', 'bob', 'cat', 'dan'" in detail
    assert "split.protocol: random" in detail


def test_labels_that_nothing_maps_are_to_be_mapped_and_not_to_be_linked(found):
    (finding,) = found([{**row, "label": row["label"].upper()} for row in rows()])
    assert finding.level == "fail"
    assert "corpus.label_map" in finding.detail
    assert "link-corpus" not in finding.cure


def test_more_refusals_than_may_be_are_a_failure(found, tmp_path):
    content = rows()
    content[0] = {**content[0], "speaker": ""}
    (finding,) = found(content)
    assert finding.level == "fail"
    assert "corpus.max_rejected allows 0; the first: utterances.csv:2: speaker" in finding.detail


def test_too_few_utterances_to_deal_are_a_failure(found):
    split = {"protocol": "random", "num_folds": 2}
    detail = refused(found(rows(["ann", "bob"]), corpus={"num_sessions": 2}, split=split))
    assert "protocol random cannot deal" in detail
    assert "dev_fraction" in detail


def in_parts(said):
    """The same rows, each speaker in one part."""
    parts = dict(zip(SPEAKERS, ("train", "train", "dev", "held out"), strict=True))
    return [{**row, "part": parts[row["speaker"]]} for row in said]


def test_parts_of_the_corpus_own_are_asked_for_as_split_will(found):
    split = {"protocol": "file", "part_map": {"held out": "test"}}
    link, folds = found(in_parts(rows()), split=split)
    assert (link.level, folds.level, folds.detail) == ("ok", "ok", "protocol file: 1")


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        ({"protocol": "file"}, "'held out' (4 utterances): no known name of a part"),
        ({}, "protocol session would pass that over; set split.protocol: file"),
        ({"part_map": {"a": "test"}}, "part_map is for protocol file"),
    ],
)
def test_parts_that_the_split_would_refuse_are_a_failure(found, split, problem):
    assert problem in refused(found(in_parts(rows()), split=split))


def test_segments_that_overlap_are_refusals_before_a_recording_is_opened(found):
    said = [{**row, "start": "0", "end": "1"} for row in rows()]
    said.append({**said[0], "start": "0.5", "end": "2"})
    (finding,) = found(said)
    assert finding.level == "fail"
    assert "the first: it overlaps" in finding.detail


def test_speech_of_a_kind_that_the_corpus_does_not_know_is_a_failure(found):
    detail = refused(found(rows(), corpus={"speech": "improvised"}))
    assert "does not say it of 16 of 16 utterances" in detail


def test_lists_of_folds_that_are_not_there_are_a_failure(found):
    (finding,) = found(rows(), corpus={"fold_lists": "folds"})
    assert finding.level == "fail"
    assert "corpus.fold_lists" in finding.detail


def learning(targets):
    """Sections of one cell whose loss learns such targets."""
    return {
        "cells": {"lstm-ccc": {"model": "lstm", "loss": "ccc", "feature": "mfcc"}},
        "losses": {"ccc": {"targets": targets}, "focal": {}},
    }


def test_ratings_that_a_loss_wants_and_nobody_gave_are_a_failure_before_training(found):
    rated = [{**row, "valence": 3, "arousal": 2} for row in rows()]
    _, targets, folds = found(rated, **learning("vad"))
    assert (targets.what, targets.level, folds.level) == ("targets", "fail", "ok")
    assert "losses.ccc.targets: vad learns from ratings, but calls has none of dominance" in (
        targets.detail
    )


@pytest.mark.parametrize(
    "sections", [learning("categories"), {**learning("vad"), "cells": {}}, learning("vad")]
)
def test_ratings_that_are_there_or_that_no_cell_wants_are_not_asked_for(found, sections):
    rated = [{**row, "valence": 3, "arousal": 2, "dominance": 1} for row in rows()]
    has_all = sections == learning("vad")
    assert len(found(rated if has_all else rows(), **sections)) == 2


def test_soft_targets_without_votes_are_a_failure(found):
    _, targets, _ = found(rows(), training={"targets": "soft"})
    assert (targets.what, targets.level) == ("targets", "fail")
    assert "calls has none for angry, happy, neutral, sad" in targets.detail
