"""Scores by fold and by speaker, computed again from the rows."""

import audmetric
import numpy as np
import pandas as pd
import pytest

from ser.evaluation import breakdown
from ser.project import Project
from tests.evaluation.support import cell


@pytest.fixture(scope="module")
def made():
    frame, speaker_of = cell(num_seeds=3, num_folds=3)
    return {("lstm", "focal"): frame}, speaker_of


def expected(rows):
    by_seed = [
        audmetric.unweighted_average_recall(of_seed["truth"], of_seed["prediction"])
        for _, of_seed in rows.groupby("seed")
    ]
    return np.mean(by_seed), np.std(by_seed, ddof=1)


def test_folds_have_the_scores_of_their_own_test_parts_mean_over_seeds(made):
    frames, _ = made
    table = breakdown.by_fold(frames)
    assert list(table.columns) == list(breakdown.FOLD_COLUMNS)
    assert table["fold"].tolist() == [1, 2, 3]
    test = frames["lstm", "focal"].query("part == 'test'")
    for row in table.to_dict("records"):
        rows = test[test["fold"] == row["fold"]]
        assert (row["uar"], row["uar_std_over_seeds"]) == pytest.approx(expected(rows))
        assert row["wa"] == pytest.approx((rows["truth"] == rows["prediction"]).mean())
        assert (row["num_seeds"], row["num_utterances"], row["num_emotions"]) == (3, 40, 4)


def test_speakers_have_the_scores_of_what_they_say(made):
    frames, speaker_of = made
    table = breakdown.by_speaker(frames, speaker_of)
    assert table["speaker"].tolist() == ["speaker f1", "speaker f2", "speaker f3"]
    by_fold = breakdown.by_fold(frames)
    np.testing.assert_allclose(table["uar"], by_fold["uar"])  # a speaker a fold here


def test_an_emotion_that_a_speaker_does_not_speak_is_left_out_and_counted(made):
    frame = made[0]["lstm", "focal"]
    without = frame[(frame["truth"] != "sad") | (frame["fold"] != 2)]
    row = breakdown.by_fold({("a", "b"): without}).iloc[1]
    assert (row["num_emotions"], row["num_utterances"]) == (3, 30)
    rows = without.query("part == 'test' and fold == 2")
    hits = [(r["truth"] == r["prediction"]).mean() for _, r in rows.groupby("truth")]
    assert row["uar"] == pytest.approx(np.mean(hits))


def test_ten_folds_stand_in_order_of_their_number_and_one_seed_has_no_spread():
    frame, _ = cell(num_seeds=1, num_folds=11, per_fold=8)
    table = breakdown.by_fold({("a", "b"): frame})
    assert table["fold"].tolist() == list(range(1, 12))
    assert table["uar_std_over_seeds"].isna().all()


def test_tables_are_written_by_name(made, tmp_path):
    breakdown.write(Project(tmp_path), {"folds": breakdown.by_fold(made[0])})
    assert len(pd.read_csv(tmp_path / "reports" / "folds.csv")) == 3
