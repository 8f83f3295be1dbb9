"""Every number of the grid follows from predictions.parquet, computed without our own code."""

import audmetric
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from ser import predictions
from ser.evaluation import grid_table, summary
from ser.project import Project
from tests.evaluation.support import cell

NUM_BINS = 15


def calibration_error(rows, emotions):
    table = rows[[f"probability_{emotion}" for emotion in emotions]]
    confidence = table.max(axis=1)
    correct = rows["truth"] == rows["prediction"]
    bins = pd.cut(confidence, np.linspace(0, 1, NUM_BINS + 1))
    by_bin = pd.DataFrame({"gap": correct - confidence}).groupby(bins, observed=True)["gap"]
    return (by_bin.mean().abs() * by_bin.size()).sum() / len(rows)


def uar_of_speakers(rows, speakers):
    drawn = pd.concat([rows[rows["speaker"] == speaker] for speaker in speakers])
    return audmetric.unweighted_average_recall(drawn["truth"], drawn["prediction"])


def test_grid_is_recomputed_from_the_files(tmp_path):
    summaries, files = {}, {}
    for number, loss in enumerate(("focal", "aam")):
        frame, speaker_of = cell(seed=number, num_folds=6)
        files[loss] = tmp_path / f"{loss}.parquet"
        predictions.write(files[loss], frame)
        summaries["lstm", loss] = summary.summarise(frame, speaker_of)
    grid_table.write(Project(tmp_path), grid_table.table(summaries))
    grid = pd.read_csv(Project(tmp_path).grid)
    for row in grid.to_dict("records"):
        test = pd.read_parquet(files[row["loss"]]).query("part == 'test'")
        emotions = [c.removeprefix("probability_") for c in test if c.startswith("probability_")]
        seeds = [rows for _, rows in test.groupby("seed")]
        pairs = [(rows["truth"], rows["prediction"]) for rows in seeds]
        expected = {
            "uar": np.mean([audmetric.unweighted_average_recall(*pair) for pair in pairs]),
            "wa": np.mean([audmetric.accuracy(*pair) for pair in pairs]),
            "macro_f1": np.mean([f1_score(*pair, average="macro") for pair in pairs]),
            "mcc": np.mean([matthews_corrcoef(*pair) for pair in pairs]),
            "ece": np.mean([calibration_error(rows, emotions) for rows in seeds]),
            "num_folds": test["fold"].nunique(),
            "num_seeds": test["seed"].nunique(),
        }
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, abs=1e-6), name
        # The interval is a resampling: another generator gives nearly the same ends.
        test = test.assign(speaker=test["utterance_id"].map(speaker_of))
        rng = np.random.default_rng(99)
        names = test["speaker"].unique()
        uars = [uar_of_speakers(test, rng.choice(names, len(names))) for _ in range(300)]
        low, high = np.quantile(uars, [0.025, 0.975])
        assert row["uar_low"] == pytest.approx(low, abs=0.02)
        assert row["uar_high"] == pytest.approx(high, abs=0.02)
