import json

import pandas as pd
import pytest

from pipelines import extract, gain, prepare, split, train, tune
from ser.grid import runners
from ser.tracking.memory_tracker import MemoryExperiment

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

    for module in (tune, runners):
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
    status, err = tuned_by(stage)
    assert status == 0, err
    entries = json.loads((upstream / "data" / "tuned.json").read_text())["lstm"]
    assert entries["cross_entropy"] == dict.fromkeys("123", KEPT)
    for number in "123":
        entry = entries["focal"][number]
        assert entry["num_trials"] == 2
        assert entry["params"].keys() == {"loss.gamma", "loss.alpha"}
        assert (upstream / f"reports/tuning/lstm-focal/fold-{number}/history.png").is_file()
    assert len(pd.read_csv(upstream / "reports" / "tuning" / "trials.csv")) == 6
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


def test_without_trials_every_cell_keeps_its_values(upstream, stage, experiments, params):
    params("num_trials: 2", "num_trials: 0")
    status, err = tuned_by(stage)
    assert status == 0, err
    entries = json.loads((upstream / "data" / "tuned.json").read_text())["lstm"]
    assert entries["focal"] == entries["cross_entropy"] == dict.fromkeys("123", KEPT)
    assert experiments == {}
    assert not (upstream / "mlruns").exists()
    assert len(pd.read_csv(upstream / "reports" / "tuning" / "trials.csv")) == 0


def test_some_cells_fill_the_storage_only(upstream, stage, experiments):
    status, err = tuned_by(stage, "lstm-focal", "--trials-only")
    assert status == 0, err
    assert not (upstream / "data" / "tuned.json").exists()
    assert (upstream / "mlruns" / "optuna.db").is_file()
    before = {
        key: dict(run.metrics) for key, run in experiments["ser/csv/session/tuning"].runs.items()
    }
    assert tuned_by(stage)[0] == 0
    after = {
        key: dict(run.metrics) for key, run in experiments["ser/csv/session/tuning"].runs.items()
    }
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lstm-aam", "--trials-only"), "tuning.cells has no lstm-aam; there are: lstm-focal"),
        ((), "no tunable param is named 'gama'"),
    ],
)
def test_what_cannot_be_tuned_is_one_message(
    upstream, fails, experiments, params, arguments, message
):
    params("loss: focal, feature: mfcc}}\n", "loss: focal, feature: mfcc, search: [gama]}}\n")
    assert message in tuned_by(fails, *arguments)
    assert experiments == {}


def test_some_cells_cannot_make_the_whole_file(upstream, stage):
    status, err = tuned_by(stage, "lstm-focal")
    assert status == 2
    assert "say --trials-only" in err


def test_a_cell_without_an_outcome_is_not_trained(upstream, fails, experiments):
    message = fails(train.main, CELL)
    assert "tuned.json: no such file" in message
    assert "`dvc repro tune` makes it" in message
    assert experiments == {}
