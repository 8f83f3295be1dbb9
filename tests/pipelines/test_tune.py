import json

import pandas as pd
import pytest

from pipelines import extract, gain, prepare, split, train, tune
from ser.grid import runners
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tuning import feature_search

TUNING = """
tuning:
  num_trials: 2
  cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}
"""
CELL = "lstm-focal"
KEPT = {"params": {}, "study": None, "num_trials": 0, "dev_uar": None}


@pytest.fixture
def experiments(monkeypatch):
    """Name -> what is recorded in memory instead of in MLflow."""
    found = {}

    def open_experiment(name, *, note, tags, **_):
        assert note
        score = "dev/best_uar" if name.endswith("/tuning") else "test/uar"
        assert tags == {"ser.corpus": "csv", "ser.headline": score}
        return found.setdefault(name, MemoryExperiment())

    for module in (feature_search, runners):
        monkeypatch.setattr(module.mlflow_tracker, "open_experiment", open_experiment)
    return found


@pytest.fixture
def upstream(workspace, monkeypatch):
    """The outputs of the stages before, and params with one tuned cell beside another."""
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0
    path = workspace / "params.yaml"
    text = path.read_text().replace(
        "losses: {cross_entropy: {}}", "losses: {cross_entropy: {}, focal: {}}"
    )
    text = text.replace(
        "cells: {", "cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}, "
    )
    path.write_text(text + TUNING)
    return workspace


def tuned_by(run, *arguments):
    return run(tune.main, *arguments)


def test_a_tuned_cell_is_trained_with_what_was_chosen_and_set_beside_the_constants(
    upstream, stage, experiments
):
    status, err = tuned_by(stage, "mfcc")
    assert status == 0, err
    entries = json.loads((upstream / "data" / "tuned" / "mfcc.json").read_text())["lstm"]
    assert entries["cross_entropy"] == dict.fromkeys("123", KEPT)
    for number in "123":
        entry = entries["focal"][number]
        assert entry["num_trials"] == 2
        assert entry["params"].keys() == {"loss.gamma", "loss.alpha"}
        assert (upstream / f"reports/tuning/mfcc/lstm-focal/fold-{number}/history.png").is_file()
    assert len(pd.read_csv(upstream / "reports" / "tuning" / "mfcc" / "trials.csv")) == 6
    assert len(experiments["ser/csv/session/tuning"].runs) == 3 + 6
    assert (upstream / "mlruns" / "optuna.db").is_file()

    status, err = stage(train.main, CELL)
    assert status == 0, err
    status, err = stage(train.main, CELL, "--variant", "untuned")
    assert status == 0, err
    parent, *nested = experiments["ser/csv/session"].runs.values()
    assert parent.tags["ser.tuned"] == "true"
    assert [run.tags["ser.study"] for run in nested] == [
        entries["focal"][number]["study"] for number in "123"
    ]
    assert [run.params["loss.gamma"] for run in nested] == [
        str(entries["focal"][number]["params"]["loss.gamma"]) for number in "123"
    ]
    constants = experiments["ser/csv/session/untuned"].runs.values()
    assert {run.params["loss.gamma"] for run in constants} == {"2.0"}

    require_own_values(upstream, stage)

    status, err = stage(gain.main)
    assert status == 0, err
    (row,) = pd.read_csv(upstream / "reports" / "tuning.csv").to_dict("records")
    assert (row["model"], row["loss"], row["num_trials"]) == ("lstm", "focal", 2)
    chosen = [entries["focal"][number]["dev_uar"] for number in "123"]
    assert row["dev_uar_tuned"] == pytest.approx(sum(chosen) / 3, abs=1e-6)
    assert row["dev_uar_tuned"] >= row["dev_uar_constants"]
    assert row["difference"] == pytest.approx(
        row["test_uar_tuned"] - row["test_uar_constants"], abs=2e-6
    )
    require_own_folds(upstream, stage)


def require_own_values(upstream, stage):
    """Of another preset with the same cell and feature: the values were not chosen for it."""
    path = upstream / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("num_epochs: 1", "num_epochs: 2"))
    status, err = stage(train.main, CELL)
    assert status == 1
    assert "lstm.focal was tuned with other params than those of params.yaml" in err
    path.write_text(text)


def require_own_folds(upstream, stage):
    """Under other folds, the same cells are not compared."""
    with (upstream / "data" / "splits.csv").open("a") as file:
        file.write("\n")
    status, err = stage(gain.main)
    assert status == 1
    assert f"data/trained/{CELL}: it was trained on another split than data/splits.csv" in err


def test_without_trials_every_cell_keeps_its_values(upstream, stage, experiments, params):
    params("num_trials: 2", "num_trials: 0")
    status, err = tuned_by(stage, "mfcc")
    assert status == 0, err
    entries = json.loads((upstream / "data" / "tuned" / "mfcc.json").read_text())["lstm"]
    assert entries["focal"] == entries["cross_entropy"] == dict.fromkeys("123", KEPT)
    assert experiments == {}
    assert not (upstream / "mlruns").exists()
    assert len(pd.read_csv(upstream / "reports" / "tuning" / "mfcc" / "trials.csv")) == 0


def test_some_cells_fill_the_storage_only(upstream, stage, experiments):
    status, err = tuned_by(stage, "--trials-only", "lstm-focal")
    assert status == 0, err
    assert not (upstream / "data" / "tuned" / "mfcc.json").exists()
    assert (upstream / "mlruns" / "optuna.db").is_file()
    before = {
        key: dict(run.metrics) for key, run in experiments["ser/csv/session/tuning"].runs.items()
    }
    assert tuned_by(stage, "mfcc")[0] == 0
    after = {
        key: dict(run.metrics) for key, run in experiments["ser/csv/session/tuning"].runs.items()
    }
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials-only", "lstm-aam"), "tuning.cells has no lstm-aam; there are: lstm-focal"),
        (("mfcc",), "no tunable param is named 'gama'"),
    ],
)
def test_what_cannot_be_tuned_is_one_message(
    upstream, fails, experiments, params, arguments, message
):
    params("loss: focal, feature: mfcc}}\n", "loss: focal, feature: mfcc, search: [gama]}}\n")
    assert message in tuned_by(fails, *arguments)
    assert experiments == {}


def test_a_feature_or_cells_are_named_and_never_both(upstream, stage):
    for arguments in ((), ("mfcc", "--trials-only")):
        status, err = tuned_by(stage, *arguments)
        assert status == 2
        assert "name either a feature, or cells after --trials-only" in err


def test_a_cell_without_an_outcome_is_not_trained(upstream, fails, experiments):
    message = fails(train.main, CELL)
    assert "tuned/mfcc.json: no such file" in message
    assert "`dvc repro tune` makes it" in message
    assert experiments == {}
