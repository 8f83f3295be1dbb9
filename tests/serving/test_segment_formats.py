import csv
import json

import pytest

from ser.errors import AudioInputError
from ser.serving import segment_formats
from ser.serving.prediction import Answer, Prediction
from ser.serving.segment_formats import FORMATS, Described
from ser.serving.segments import EmotionSegment

WHO = {"name": "m", "version": 3, "cell": "c", "emotions": ["angry", "sad"], "synthetic": True}


def described(source="dir/my talk.wav"):
    def answer(start, end, reason=None):
        shares = {"angry": 0.4, "sad": 0.6}
        return Answer(start, end, None if reason else "sad", shares, bool(reason), reason, 0.9, 0.5)

    parts = (
        EmotionSegment.of(answer(0.0, 2.5)),
        EmotionSegment.without_speech(2.5, 4.0, 0.0),
        EmotionSegment.of(answer(4.0, 6.25, "unlike anything in training")),
    )
    return Described(source, "models:/m/3", WHO, Prediction(answer(0.0, 6.25), (), {}), parts)


def test_rttm_has_ten_fields_and_no_white_space_in_them():
    lines = [line.split(" ") for line in segment_formats.as_rttm(described()).splitlines()]
    assert {len(line) for line in lines} == {10}
    assert lines[0] == [
        "SPEAKER",
        "my_talk",
        "1",
        "0.000",
        "2.500",
        "<NA>",
        "<NA>",
        "sad",
        "0.600",
        "<NA>",
    ]
    assert lines[1][:5] == ["NON-SPEECH", "my_talk", "1", "2.500", "1.500"]
    assert lines[2][7] == "unlike_anything_in_training"


def test_text_has_times_as_fine_as_the_shortest_hop():
    _, first, second, third = segment_formats.as_text(described()).splitlines()
    assert first.startswith("     0.00 to    2.50 s: sad  [angry 0.40, sad 0.60; speech share 0.90")
    assert second == "     2.50 to    4.00 s: no speech  [speech share 0.00]"
    assert third.startswith("     4.00 to    6.25 s: unlike anything in training")


def test_audacity_gets_start_end_and_label():
    assert segment_formats.as_audacity(described()).splitlines() == [
        "0.000000\t2.500000\tsad",
        "2.500000\t4.000000\tno speech",
        "4.000000\t6.250000\tunlike anything in training",
    ]


def test_csv_has_a_row_per_segment_of_all_recordings():
    text = segment_formats.written([described("=a.wav"), described()], "csv")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 6
    assert rows[0]["source"] == "'=a.wav"  # no spreadsheet takes it for a formula
    assert rows[0]["probability_sad"] == rows[0]["confidence"] == "0.6"
    assert rows[1]["emotion"] == rows[1]["probability_sad"] == ""
    assert (rows[1]["reason"], rows[1]["abstained"]) == ("no speech", "True")
    assert (rows[0]["model"], rows[0]["version"], rows[0]["synthetic"]) == ("m", "3", "True")


def test_json_adds_segments_to_what_was_answered_before():
    found = json.loads(segment_formats.as_json(described()))
    assert {"file", "model", "answered_by", "emotion", "probabilities", "windows"} <= set(found)
    assert [one["reason"] for one in found["segments"]] == [
        None,
        "no speech",
        "unlike anything in training",
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_is_known_again(tmp_path, name):
    path = tmp_path / "a"
    path.write_text(segment_formats.written([described()], name))
    assert segment_formats.is_ours(path)
    path.write_text("my notes: of today\n")
    assert not segment_formats.is_ours(path)


@pytest.mark.parametrize(
    ("name", "out", "num", "format_"),
    [
        (None, None, 2, "text"),
        (None, "a.csv", 2, "csv"),
        (None, "a.JSONL", 2, "json"),
        (None, "a.json", 1, "json"),
        (None, "a.rttm", 2, "rttm"),
        ("audacity", "a.txt", 1, "audacity"),
        ("csv", "a.rttm", 1, "csv"),
    ],
)
def test_the_format_is_named_or_follows_from_the_ending(tmp_path, name, out, num, format_):
    path = None if out is None else tmp_path / out
    assert segment_formats.format_of(name, path, num_recordings=num) == format_


@pytest.mark.parametrize(
    ("name", "out", "num", "said"),
    [
        ("xml", None, 1, "there are text, csv, json, rttm, audacity"),
        (None, "a.txt", 1, "names no format"),
        (None, "a.json", 2, "name it .jsonl"),
        ("audacity", None, 2, "one recording"),
    ],
)
def test_a_format_that_cannot_be_is_refused(tmp_path, name, out, num, said):
    path = None if out is None else tmp_path / out
    with pytest.raises(AudioInputError, match=said):
        segment_formats.format_of(name, path, num_recordings=num)


@pytest.mark.parametrize(
    ("emotion", "reason", "said"),
    [
        ("sad", None, "sad  ["),
        (None, "unsure", "not sure (sad?)  ["),
        (None, "no speech", "no speech  ["),
        (None, "unlike anything in training", "unlike anything in training  ["),
    ],
)
def test_people_are_told_why_there_is_no_emotion(emotion, reason, said):
    answer = {"emotion": emotion, "reason": reason, "speech_share": 0.5, "familiarity": None}
    line = segment_formats._said({**answer, "probabilities": {"angry": 0.4, "sad": 0.6}})
    assert line == f"{said}angry 0.40, sad 0.60; speech share 0.50]"
