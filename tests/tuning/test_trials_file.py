import pandas as pd

from ser.tuning import trials_file


def test_without_trials_the_header_says_what_a_row_would_be_of(tmp_path):
    trials_file.write(tmp_path)
    assert (tmp_path / "trials.csv").read_text() == "model,loss,fold,trial\n"


def test_a_row_has_the_columns_of_any_other(tmp_path):
    cell = {"model": "lstm", "loss": "focal", "fold": 1}
    trials_file.write(tmp_path, [{**cell, "trial": 0, "gamma": 2.0}, {**cell, "trial": 1}])
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["gamma"].isna().tolist() == [False, True]
