import json

import audmetric
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from ser.emotion import EMOTIONS
from ser.evaluation import summary
from tests.evaluation.support import cell


def test_scores_pool_the_folds_and_average_the_seeds():
    frame, speaker_of = cell()
    scores = summary.summarise(frame, speaker_of)
    test = frame[frame["part"] == "test"]
    by_seed = [rows for _, rows in test.groupby("seed")]
    uars = [balanced_accuracy_score(rows["truth"], rows["prediction"]) for rows in by_seed]
    assert scores.scores["uar"] == pytest.approx(np.mean(uars))
    assert scores.spread["uar"] == pytest.approx(np.std(uars, ddof=1))
    was = [accuracy_score(rows["truth"], rows["prediction"]) for rows in by_seed]
    assert scores.scores["wa"] == pytest.approx(np.mean(was))
    assert (scores.num_folds, scores.num_seeds) == (3, 2)
    assert scores.confusion.sum() == len(test)
    assert scores.intervals["uar"].low <= scores.scores["uar"] <= scores.intervals["uar"].high


def test_ratings_pool_the_folds_and_average_the_seeds_and_reach_the_file_and_the_keys(tmp_path):
    frame, speaker_of = cell(rated=True)
    scores = summary.summarise(frame, speaker_of)
    test = frame[frame["part"] == "test"].dropna(subset="dominance")
    by_seed = [
        audmetric.concordance_cc(rows["dominance"], rows["predicted_dominance"])
        for _, rows in test.groupby("seed")
    ]
    by_fold = [
        audmetric.concordance_cc(rows["dominance"], rows["predicted_dominance"])
        for _, rows in test.groupby(["seed", "fold"])
    ]
    mean = np.mean(by_seed)
    assert abs(mean - np.mean(by_fold)) > 0.05
    assert scores.scores["ccc_dominance"] == pytest.approx(mean)
    assert scores.spread["ccc_dominance"] == pytest.approx(np.std(by_seed, ddof=1))
    error = (test["dominance"] - test["predicted_dominance"]).abs().mean()
    assert scores.scores["mae_dominance"] == pytest.approx(error)
    summary.write(tmp_path / "metrics.json", scores)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["ccc_dominance"] == {
        "mean": scores.scores["ccc_dominance"],
        "std_over_seeds": scores.spread["ccc_dominance"],
    }
    keys = scores.as_metrics()
    assert keys["test/ccc_dominance"] == scores.scores["ccc_dominance"]
    assert keys["test/mae_valence"] == scores.scores["mae_valence"]


def test_without_ratings_there_are_no_scores_of_ratings():
    scores = summary.summarise(*cell())
    assert set(scores.scores) == set(summary.SCALARS)


def test_a_single_seed_has_no_spread_and_the_file_says_null(tmp_path):
    frame, speaker_of = cell(num_seeds=1)
    scores = summary.summarise(frame, speaker_of)
    summary.write(tmp_path / "metrics.json", scores)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["uar"]["std_over_seeds"] is None
    assert content["uar"]["mean"] == scores.scores["uar"]
    assert content["uar"]["low"] == scores.intervals["uar"].low
    assert content["emotions"] == list(EMOTIONS)


def test_an_utterance_tested_twice_under_a_seed_is_refused():
    frame, speaker_of = cell()
    twice = pd.concat([frame, frame[frame["part"] == "test"].head(1)])
    with pytest.raises(ValueError, match="'f1u000' is tested more than once"):
        summary.summarise(twice, speaker_of)


def test_predictions_without_a_test_part_are_refused():
    frame, speaker_of = cell()
    with pytest.raises(ValueError, match="no test predictions"):
        summary.summarise(frame[frame["part"] == "dev"], speaker_of)


def test_tracking_keys_carry_interval_and_recalls():
    frame, speaker_of = cell()
    keys = summary.summarise(frame, speaker_of).as_metrics()
    assert {"test/uar", "test/uar_low", "test/uar_high", "test/wa", "test/recall_sad"} <= set(keys)
