import re

import pytest
import torch

from pipelines import extract, prepare, split, train
from ser.grid import runners
from ser.losses.cross_entropy import CrossEntropyLoss
from ser.tracking.memory_tracker import MemoryExperiment

CELL = "lstm-cross_entropy"


@pytest.fixture
def experiment(monkeypatch):
    """Records in memory what would go to MLflow."""
    found = MemoryExperiment()
    opened = []

    def open_experiment(name, *, note, tags, **_):
        opened.append((name, tags))
        return found

    monkeypatch.setattr(runners.mlflow_tracker, "open_experiment", open_experiment)
    found.opened = opened
    return found


@pytest.fixture
def upstream(workspace):
    """The outputs of the stages before."""
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0
    return workspace


def trained(run, cell=CELL):
    return run(train.main, cell, "--untuned")


def test_a_cell_is_trained_and_recorded(upstream, stage, experiment, caplog):
    with caplog.at_level("INFO"):
        status, err = trained(stage)
    assert status == 0, err
    for fold in (1, 2, 3):
        said = f"{CELL}/fold-{fold}/seed-0: epoch 1 of at most 1: train/loss "
        assert [line for line in caplog.messages if line.startswith(said)] != []
    tags = {"ser.corpus": "csv", "ser.headline": "test/uar"}
    assert experiment.opened == [("ser/csv/session", tags)]
    assert len(experiment.runs) == 4
    assert {run.status for run in experiment.runs.values()} == {"FINISHED"}
    parent = next(iter(experiment.runs.values()))
    assert parent.params["recipe.num_epochs"] == "1"
    assert parent.params["feature.hop_ms"] == "20.0"
    assert parent.params["model.pooling"] == "stats"
    assert (upstream / "data" / "trained" / CELL / "predictions.parquet").is_file()


def test_features_of_other_params_are_refused(upstream, fails, experiment, params):
    params("hop_ms: 20.0", "hop_ms: 10.0")
    assert "run `dvc repro extract`" in trained(fails)
    assert experiment.runs == {}


def test_features_of_another_corpus_with_the_same_ids_are_refused(upstream, fails, experiment):
    """As two tables of one's own, whose files have the same names."""
    path = upstream / "data" / "raw" / "csv" / "s1f_angry_0.wav"
    (path.parent / "s1m_sad_0.wav").replace(path)
    table = path.parent / "utterances.csv"
    table.write_text(re.sub(r"s1m_sad_0.*\n", "", table.read_text()))
    for stage in (prepare, split):
        assert stage.main([]) == 0
    message = trained(fails)
    assert "s1f_angry_0' are of another recording than the manifest names" in message
    assert "run `dvc repro extract`" in message
    assert experiment.runs == {}


COPIES = ("hop_ms: 20.0", "hop_ms: 20.0, copies: [clean, speed_0.9]")
SHARES = ("recipes: {lstm: {", "recipes: {lstm: {copies: {clean: 0.5, speed_0.9: 0.5}, ")


def test_a_recipe_draws_from_copies_that_were_extracted_and_the_feature_stays_the_same(
    upstream, stage, experiment, params
):
    params(*COPIES)
    params(*SHARES)
    assert stage(extract.main, "mfcc")[0] == 0
    status, err = trained(stage)
    assert status == 0, err
    said = next(iter(experiment.runs.values())).params
    assert said["recipe.copies.speed_0.9"] == "0.5"
    assert [key for key in said if key.startswith("feature.") and "copies" in key] == []
    assert (upstream / "data" / "trained" / CELL / "predictions.parquet").is_file()


def test_shares_of_a_copy_that_was_not_extracted_are_refused(upstream, fails, experiment, params):
    params(*SHARES)
    assert "no copy 'speed_0.9', but: clean; write it into features.mfcc.copies" in trained(fails)
    assert experiment.runs == {}


def test_a_model_without_recipe_is_refused_with_the_cure(upstream, fails, experiment, params):
    params("recipes: {lstm:", "recipes: {other:")
    assert "there is no recipes.lstm; `lstm: {}` will do" in trained(fails)


def test_a_cell_that_is_not_in_params_is_refused_with_those_that_are(upstream, fails, experiment):
    assert "there is no cell 'lsmt-focal'; there are: lstm-cross_entropy" in trained(
        fails, "lsmt-focal"
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("model: lsmt", "no model is named 'lsmt'; there are: "),
        ("loss: entropy", "no loss is named 'entropy'; there are: "),
        ("feature: gone", "no feature is named 'gone'"),
    ],
)
def test_a_component_that_is_not_there_is_named(
    upstream, fails, experiment, params, entry, message
):
    section = entry.partition(":")[0]
    value = {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}[section]
    params(f"{section}: {value}", entry)
    assert message in trained(fails)


@pytest.mark.parametrize(
    "name",
    ["manifest.jsonl", "corpus.json", "splits.csv", "split_report.json", "features/mfcc"],
)
def test_a_file_that_is_not_there_is_named(upstream, fails, experiment, name):
    (upstream / "data" / name).rename(upstream / "aside")
    assert f"data/{name}" in trained(fails)


def test_without_what_tuning_chose_a_cell_is_not_trained(upstream, fails, experiment):
    assert "data/tuned/mfcc.json: no such file; `dvc repro tune`" in fails(train.main, CELL)


def test_wrong_params_are_refused_with_their_path(upstream, fails, experiment, params):
    params("seeds: [0]", "seeds: [0, 0]")
    assert "training.seeds: seeds must be distinct" in trained(fails)


def test_a_loss_that_diverges_is_one_message(upstream, fails, experiment, monkeypatch):
    forward = CrossEntropyLoss.forward
    monkeypatch.setattr(CrossEntropyLoss, "forward", lambda *given: forward(*given) * torch.inf)
    assert "is not finite in the batch of" in trained(fails)
    assert "FAILED" in {run.status for run in experiment.runs.values()}
    assert not (upstream / "data" / "trained" / CELL).exists()


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(train.main)[0] == 2


def test_a_helping_process_records_nothing(monkeypatch, experiment):
    from types import SimpleNamespace

    helper = SimpleNamespace(is_main_process=False)
    found = runners.open_experiment(None, helper)
    assert isinstance(found, MemoryExperiment)
    assert found is not experiment
    assert experiment.opened == []
