"""What the stage reads and writes; test_tune.py runs it on real cells."""

from pipelines import gain


def test_without_tuned_cells_the_table_is_empty(workspace, stage):
    (workspace / "params.yaml").write_text("tuning: {}\n")
    (workspace / "manifest.jsonl").touch()
    status, err = stage(
        gain.main, "--runs", "runs", "--untuned", "data/untuned", "--tuned-file", "data/tuned.json",
        "--manifest-file", "manifest.jsonl", "--out", "tuning.csv",
    )  # fmt: skip
    assert status == 0, err
    assert (workspace / "tuning.csv").read_text().startswith("model,loss,num_trials,dev_uar_")


def test_a_cell_that_tuning_does_not_know_is_one_message(workspace, fails):
    (workspace / "params.yaml").write_text(
        "tuning: {cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}}\n"
    )
    message = fails(
        gain.main, "--runs", "runs", "--untuned", "data/untuned", "--tuned-file", "gone.json",
        "--manifest-file", "manifest.jsonl", "--out", "tuning.csv",
    )  # fmt: skip
    assert "gone.json: cannot be read" in message
