"""Every number of the grid follows from predictions.parquet, computed without our own code."""

import audmetric
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from scipy.optimize import brentq
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


def uar_of(rows):
    return audmetric.unweighted_average_recall(rows["truth"], rows["prediction"])


def variance_over_speakers(rows):
    without = [uar_of(rows[rows["speaker"] != speaker]) for speaker in rows["speaker"].unique()]
    return (len(without) - 1) * np.var(without)


def uar_and_its_interval(test, num_seeds):
    """UAR of pooled rows, and Wilson's interval over speakers, at least that of utterances."""
    found, of_speakers = uar_of(test), variance_over_speakers(test)
    each = [rows for _, rows in test.groupby("seed")]
    in_speakers = np.mean([variance_over_speakers(rows) for rows in each]) - of_speakers
    of_seeds = np.var([uar_of(rows) for rows in each], ddof=1) / num_seeds
    of_seeds = max(of_seeds - in_speakers / (num_seeds - 1), 0)
    variance, speakers = of_speakers + of_seeds, test["speaker"].nunique() - 1
    degrees = variance**2 / (of_speakers**2 / speakers + of_seeds**2 / (num_seeds - 1))
    spoken = test["truth"].value_counts() / num_seeds
    of_speakers = scipy.stats.t.ppf(0.975, degrees) ** 2 * variance / (found * (1 - found))
    of_utterances = scipy.stats.norm.ppf(0.975) ** 2 * (1 / spoken).sum() / len(spoken) ** 2
    c = max(of_speakers, of_utterances)
    ends = [brentq(lambda p: (found - p) ** 2 - c * p * (1 - p), *bounds)
            for bounds in ((0, found), (found, 1))]  # fmt: skip
    return found, *ends


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
        test = test.assign(speaker=test["utterance_id"].map(speaker_of))
        ends = [row[name] for name in ("uar", "uar_low", "uar_high")]
        assert ends == pytest.approx(uar_and_its_interval(test, len(seeds)), abs=1e-6)
