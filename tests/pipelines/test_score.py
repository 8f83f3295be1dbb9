import json

import numpy as np
import pandas as pd
import pytest

from pipelines import score
from ser.project import Project
from ser.tracking.memory_tracker import MemoryExperiment
from tests import synthetic
from tests.grid.support import make_runner, write_inputs

CELL = "lstm-cross_entropy"


@pytest.fixture
def experiment(monkeypatch):
    found = MemoryExperiment()
    monkeypatch.setattr(score.mlflow_tracker, "open_experiment", lambda *_, **__: found)
    return found


@pytest.fixture
def trained(workspace, experiment):
    paths = write_inputs(workspace, synthetic.corpus(num_sessions=3))
    make_runner(workspace, paths, experiment).run()
    return workspace


def test_every_cell_of_the_params_is_scored_from_its_predictions(trained, stage, experiment):
    status, err = stage(score.main)
    assert status == 0, err
    scored = Project(trained).run(CELL)
    frame = pd.read_parquet(scored.predictions)
    test = frame[frame["part"] == "test"]
    accuracy = (test["truth"] == test["prediction"]).mean()
    found = json.loads(scored.metrics.read_text())
    assert found["wa"]["mean"] == pytest.approx(accuracy)
    assert "soft_macro_f1" not in found
    parent = next(iter(experiment.runs.values()))
    assert parent.metrics["test/wa"] == [(0, pytest.approx(accuracy))]


def test_probabilities_are_scored_beside_the_votes_where_there_are_some(
    workspace, stage, experiment
):
    utterances = synthetic.corpus(num_sessions=3, voted=True)
    make_runner(workspace, write_inputs(workspace, utterances), experiment).run()
    status, err = stage(score.main)
    assert status == 0, err
    scored = Project(workspace).run(CELL)
    frame = pd.read_parquet(scored.predictions)
    test = frame[frame["part"] == "test"].set_index("utterance_id")
    shares = synthetic.share_of([u for u in utterances if u.votes])
    rows = test.loc[list(shares)]
    said = rows.filter(like="probability_").to_numpy()
    entropies = -(np.array(list(shares.values())) * np.log(said)).sum(axis=1)
    content = json.loads(scored.metrics.read_text())["soft_cross_entropy"]
    assert content["mean"] == pytest.approx(entropies.mean())
    assert content["low"] < content["mean"] < content["high"]
    runs = {run.spec.name: run.metrics for run in experiment.runs.values()}
    assert runs[CELL]["test/soft_cross_entropy"] == [(0, pytest.approx(entropies.mean()))]
    for fold in (1, 2, 3):
        own = entropies[(rows["fold"] == fold).to_numpy()].mean()
        found = runs[f"{CELL}/fold-{fold}/seed-0"]
        assert found["test/soft_cross_entropy"] == [(0, pytest.approx(own))]
        assert {"test/soft_js_distance", "test/soft_macro_f1"} <= found.keys()


def test_a_cell_that_was_not_trained_is_named_with_the_cure(workspace, fails, experiment):
    write_inputs(workspace, synthetic.corpus(num_sessions=3))
    message = fails(score.main)
    assert f"data/trained/{CELL}/run.json: no such file" in message
    assert "dvc" in message


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(score.main, "--runs")[0] == 2
