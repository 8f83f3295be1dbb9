"""The baselines of a corpus without classes."""

import json

import numpy as np
import pandas as pd
import pytest

from ser.baselines import rating_rows
from ser.baselines.rating_rows import RatingTask
from ser.data import splits
from ser.data.protocols import SplitParams
from ser.project import Project
from tests import synthetic


@pytest.fixture(scope="module")
def task():
    """Inputs that tell valence, and noise; nobody's dominance."""
    utterances = synthetic.corpus(num_sessions=4, per_speaker=4, rated=True)
    rng = np.random.default_rng(0)
    ratings = {
        id_: (valence, arousal, np.nan)
        for id_, (valence, arousal, _) in synthetic.rating_of(utterances).items()
    }
    inputs = {id_: np.append(values[:2], rng.normal(size=3)) for id_, values in ratings.items()}
    folds = splits.split(utterances, SplitParams(protocol="session"))
    return RatingTask(inputs, ratings, {u.id: u.speaker for u in utterances}), folds, utterances


def test_the_mean_agrees_with_nobody_and_the_ridge_with_what_its_inputs_tell(task):
    rows = rating_rows.table(*task[:2], feature="mfcc")
    assert list(rows) == list(rating_rows.COLUMNS)
    assert rows["name"].tolist() == ["mean", "mfcc_ridge"]
    mean, ridge = rows.to_dict("records")
    assert mean["num_folds"] == 4
    assert abs(mean["ccc"]) < 0.1 < 0.9 < ridge["ccc"]
    assert ridge["mae"] < mean["mae"]
    assert ridge["ccc_low"] < ridge["ccc"] < ridge["ccc_high"]


def test_test_ratings_are_not_looked_at(task):
    found, folds, _ = task
    tested = set(folds[0].test)
    hidden = {id_: (5.0,) * 3 if id_ in tested else v for id_, v in found.rating_of.items()}
    other = RatingTask(found.inputs, hidden, found.speaker_of)
    np.testing.assert_array_equal(
        rating_rows._ridge(found, folds[0]), rating_rows._ridge(other, folds[0])
    )


def test_the_files_of_classes_say_that_there_are_none(task, tmp_path):
    found, folds, utterances = task
    project = Project(tmp_path)
    project.reports.mkdir(parents=True)
    rating_rows.write(project, utterances, folds, found.inputs, feature="mfcc")
    assert pd.read_csv(project.baselines)["name"].tolist() == ["mean", "mfcc_ridge"]
    assert json.loads(project.shortcut.read_text()) == {"unanswered": "The corpus has no classes."}
    assert json.loads(project.functional_rows.read_text())["asked"] == []
