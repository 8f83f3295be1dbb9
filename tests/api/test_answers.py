"""Tables of answers."""

from dataclasses import replace

import pytest

from ser.api.answers import Recognition, Recognitions
from ser.serving.prediction import Answer

STRETCH = {
    "emotion": "sad",
    "probabilities": {"angry": 0.25, "sad": 0.75},
    "abstained": False,
    "reason": None,
    "speech_share": 0.5,
    "familiarity": None,
}


@pytest.fixture
def answer():
    windows = (Answer(0.0, 2.0, **STRETCH), Answer(1.0, 3.0, **STRETCH))
    said = {"source": "a.wav", "model": "ser-emodb-session", "version": "3", "synthetic": False}
    more = {"windows": windows, "ratings": None, "bundle_sha256": "0" * 64}
    return Recognition(0.0, 3.0, **STRETCH, **more, **said)


def test_a_row_says_what_was_heard_and_who_answers(answer):
    (row,) = answer.to_frame().to_dict("records")
    assert (row["source"], row["emotion"], row["probability_sad"]) == ("a.wav", "sad", 0.75)
    assert (row["model"], row["version"], row["synthetic"]) == ("ser-emodb-session", "3", False)
    assert (row["start_s"], row["end_s"]) == (0.0, 3.0)


def test_a_table_of_windows_has_their_times(answer):
    table = Recognitions([answer, answer]).to_frame(windows=True)
    assert table["start_s"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert set(table["source"]) == {"a.wav"}


def test_no_answers_are_an_empty_table():
    table = Recognitions().to_frame()
    assert table.empty
    assert list(table)[:4] == ["source", "start_s", "end_s", "emotion"]


def test_a_column_without_a_value_keeps_its_type(answer):
    table = Recognitions([answer, replace(answer, emotion=None, reason="unsure")]).to_frame()
    assert table["emotion"].isna().tolist() == [False, True]
    assert table["reason"].isna().tolist() == [True, False]
    assert (answer.to_frame().dtypes == table.dtypes).all()


def test_ratings_are_columns_where_there_are_some(answer):
    rated = replace(answer, ratings={"valence": 2.0, "arousal": 4.0, "dominance": 3.0})
    table = Recognitions([rated]).to_frame()
    assert list(table)[-3:] == ["valence", "arousal", "dominance"]
    assert table["arousal"].tolist() == [4.0]
    assert "arousal" not in Recognitions([rated]).to_frame(windows=True)
    assert "arousal" not in Recognitions([answer]).to_frame()
