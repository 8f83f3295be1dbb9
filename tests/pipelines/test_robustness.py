"""The stage on real cells: trained on copies and without, scored under each, and compared."""

import pandas as pd
import pytest

from pipelines import extract, prepare, robustness, score, split, train
from ser.grid import tuned

CELL = "lstm-cross_entropy"
COPIES = ("hop_ms: 20.0", "hop_ms: 20.0, copies: [clean, gain_-6db, speed_0.9]")
SHARES = ("recipes: {lstm: {", "recipes: {lstm: {copies: {clean: 0.5, speed_0.9: 0.5}, ")
TWIN = """
robustness:
  without_copies: {lstm-cross_entropy: {model: lstm, loss: cross_entropy, feature: mfcc}}
"""


@pytest.fixture
def upstream(workspace, params):
    """The outputs of the stages before, and a cell that is to be trained on copies and without."""
    params(*COPIES)
    params(*SHARES)
    text = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(text + TWIN)
    kept = dict.fromkeys((1, 2, 3), tuned.UNTUNED)
    tuned.write(workspace / "data" / "tuned" / "mfcc.json", {("lstm", "cross_entropy"): kept})
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0
    return workspace


def ran(stage, main, *words):
    status, err = stage(main, *words)
    assert status == 0, err


def test_a_cell_and_its_twin_are_scored_under_every_copy(upstream, stage, experiments):
    ran(stage, train.main, CELL)
    ran(stage, train.main, CELL, "--variant", "without_copies")
    ran(stage, score.main)
    ran(stage, robustness.main)
    scores = pd.read_csv(upstream / "reports" / "robustness.csv")
    assert scores["copy"].tolist() == ["clean", "gain_-6db", "speed_0.9"]
    assert scores["stability"].iloc[0] == 1.0
    pairs = pd.read_csv(upstream / "reports" / "without_copies.csv")
    assert pairs["copy"].tolist() == scores["copy"].tolist()
    # Numbers in CSV have six digits.
    assert pairs["uar_with"].tolist() == pytest.approx(scores["uar"].tolist(), abs=1e-6)
    without = pd.read_parquet(upstream / "data" / "without_copies" / CELL / "predictions.parquet")
    assert not without.equals(
        pd.read_parquet(upstream / "data" / "trained" / CELL / "predictions.parquet")
    )

    assert set(experiments) == {"ser/csv/session", "ser/csv/session/without_copies"}
    (row,) = pairs[pairs["copy"] == "speed_0.9"].to_dict("records")
    for name, column in (("", "uar_with"), ("/without_copies", "uar_without")):
        parent = next(iter(experiments[f"ser/csv/session{name}"].runs.values()))
        assert parent.metrics["test/uar_speed_0.9"] == [(0, pytest.approx(row[column], abs=1e-6))]
    kept = next(iter(experiments["ser/csv/session/without_copies"].runs.values())).params
    assert kept["recipe.copies"] == "none"

    # Other folds under the same cells, as after `dvc repro split` of another preset.
    with (upstream / "data" / "splits.csv").open("a") as file:
        file.write("\n")
    for program in (score, robustness):
        status, err = stage(program.main)
        assert status == 1
        assert f"data/trained/{CELL}: it was trained on another split than data/splits.csv" in err


def test_a_twin_that_was_not_trained_is_named_with_the_cure(upstream, stage, fails, experiments):
    ran(stage, train.main, CELL)
    message = fails(robustness.main)
    assert f"data/without_copies/{CELL}/run.json: no such file; `dvc checkout`" in message


def test_of_a_recipe_without_copies_there_is_no_twin(upstream, fails, experiments, params):
    params(*reversed(SHARES))
    message = fails(train.main, CELL, "--variant", "without_copies")
    assert "recipes.lstm.copies is null, so the cell is trained on clean alone already" in message
    assert not any(found.runs for found in experiments.values())


def test_features_without_copies_leave_empty_tables(workspace, stage, experiments):
    for one, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert one.main(words) == 0
    ran(stage, train.main, CELL, "--untuned")
    ran(stage, robustness.main)
    assert not (workspace / "data" / "trained" / CELL / "copies.parquet").exists()
    for name in ("robustness.csv", "without_copies.csv"):
        text = (workspace / "reports" / name).read_text()
        assert text.startswith("model,loss,copy,")
        assert text.count("\n") == 1
