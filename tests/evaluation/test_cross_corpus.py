"""Scores across corpora: classes masked, rows, the matrix and the text."""

import numpy as np
import pandas as pd
import pytest

from ser import predictions
from ser.emotion import EMOTIONS
from ser.evaluation import cross_corpus
from tests.evaluation.support import cell


def test_all_classes_leave_predictions_as_they_are():
    frame, _ = cell()
    assert cross_corpus.restricted(frame, EMOTIONS) is frame


def test_other_classes_are_masked_and_the_rest_decides():
    frame, _ = cell(seed=3)
    found = cross_corpus.restricted(frame, ("angry", "sad"))
    assert set(found["truth"]) == {"angry", "sad"}
    assert len(found) == frame["truth"].isin(["angry", "sad"]).sum()
    assert predictions.emotions_of(found) == ("angry", "sad")
    np.testing.assert_allclose(found[["probability_angry", "probability_sad"]].sum(axis=1), 1.0)
    kept = frame[frame["truth"].isin(["angry", "sad"])].reset_index(drop=True)
    expected = np.where(kept["probability_angry"] >= kept["probability_sad"], "angry", "sad")
    assert found["prediction"].tolist() == expected.tolist()
    odds = found["probability_angry"] / found["probability_sad"]
    np.testing.assert_allclose(odds, kept["probability_angry"] / kept["probability_sad"])
    # Where another class was most probable, the decision is another one.
    assert (kept["prediction"] != found["prediction"]).any()


def test_probabilities_that_are_zero_to_the_last_bit_are_shared_evenly():
    frame = predictions.table(
        ids=["a"],
        truth=np.array([0]),
        probabilities=np.array([[0.0, 1.0, 0.0, 0.0]]),
        emotions=EMOTIONS,
        fold=1,
        seed=0,
        part="test",
    )
    found = cross_corpus.restricted(frame, ("angry", "sad"))
    assert found[["probability_angry", "probability_sad"]].iloc[0].tolist() == [0.5, 0.5]


def row(trained_on, tested_on, uar, **changes):
    values = dict.fromkeys(cross_corpus.COLUMNS, 0.0) | {
        "model": "lstm",
        "loss": "focal",
        "trained_on": trained_on,
        "tested_on": tested_on,
        "classes": "angry sad",
        "transductive": False,
        "synthetic": False,
        "uar": uar,
        "uar_low": uar - 0.1,
        "uar_high": uar + 0.1,
        "within_corpus": "emodb",
        "within_uar": 0.9,
        "within_uar_low": 0.8,
        "within_uar_high": 0.95,
    }
    return values | changes


def test_the_matrix_has_a_row_per_corpus_trained_on_and_the_grid_on_its_diagonal():
    rows = [
        row("emodb", "ravdess", 0.6),
        row("ravdess", "emodb", 0.7),
        row("emodb", "cremad", 0.5),
    ]
    found = cross_corpus.matrix(cross_corpus.table(rows))
    assert found.index.tolist() == found.columns.tolist() == ["emodb", "cremad", "ravdess"]
    nan = np.nan
    np.testing.assert_equal(found.to_numpy(), [[0.9, 0.5, 0.6], [nan, nan, nan], [0.7, nan, nan]])


def test_the_text_has_both_numbers_with_their_intervals():
    text = cross_corpus.as_text(row("emodb", "ravdess", 0.6))
    assert "lstm-focal, classes: angry sad" in text
    assert "emodb (grid)     emodb              90.0     80.0 to 95.0" in text
    assert "emodb            ravdess            60.0     50.0 to 70.0" in text
    assert "SYNTHETIC" not in text
    assert "TRANSDUCTIVE" not in text
    marked = cross_corpus.as_text(row("a", "b", 0.6, synthetic=True, transductive=True))
    assert "SYNTHETIC" in marked
    assert "TRANSDUCTIVE" in marked


def test_a_table_without_rows_has_its_columns():
    assert cross_corpus.table([]).columns.tolist() == list(cross_corpus.COLUMNS)
    pd.testing.assert_index_equal(cross_corpus.table([]).index, pd.RangeIndex(0))


@pytest.mark.parametrize("classes", [("angry", "happy"), ("sad", "neutral", "angry")])
def test_masking_keeps_every_column_of_a_table_of_predictions(classes):
    frame, _ = cell()
    found = cross_corpus.restricted(frame, classes)
    assert found.columns.tolist() == predictions.columns(classes)
