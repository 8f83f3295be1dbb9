"""What the stage reads and writes; test_tune.py runs it on real cells."""

from pipelines import gain


def test_without_tuned_cells_the_table_is_empty(workspace, stage):
    (workspace / "params.yaml").write_text("tuning: {}\n")
    (workspace / "data" / "manifest.jsonl").touch()
    status, err = stage(gain.main)
    assert status == 0, err
    text = (workspace / "reports" / "tuning.csv").read_text()
    assert text.startswith("model,loss,num_trials,dev_uar_")


def test_a_cell_that_tuning_does_not_know_is_one_message(workspace, fails):
    (workspace / "params.yaml").write_text(
        "tuning: {cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}}\n"
    )
    assert "data/tuned/mfcc.json: no such file" in fails(gain.main)
