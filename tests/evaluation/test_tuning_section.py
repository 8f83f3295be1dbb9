import json

import pandas as pd
import pytest

from ser.errors import LineageError
from ser.evaluation import report, tuning_gain, tuning_section
from tests.evaluation.test_report import PNG, make_report

ROW = ("lstm", "aam", 20, 0.7, 0.8, 0.6, 0.65, 0.05, 0.01, 0.09)
ENTRY = {
    str(fold): {
        "params": {"loss.margin_rad": 0.1 * fold, "loss.scale": 30.0},
        "study": f"lstm-aam/fold-{fold}/abc",
        "num_trials": 20,
        "dev_uar": 0.8,
    }
    for fold in (1, 2, 10)
}


@pytest.fixture
def read(tmp_path):
    def run(rows=(ROW,), content=None):
        gains = pd.DataFrame(rows, columns=list(tuning_gain.COLUMNS))
        gains.to_csv(tmp_path / "tuning.csv", index=False)
        tuned = {"lstm": {"aam": ENTRY}} if content is None else content
        (tmp_path / "tuned.json").write_text(json.dumps(tuned))
        for fold in (2, 10, 1):
            folder = tmp_path / "tuning" / "lstm-aam" / f"fold-{fold}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "contour.png").write_bytes(PNG)
            (folder / "history.png").write_bytes(PNG)
        return tuning_section.read(
            tmp_path / "tuning.csv", tmp_path / "tuned.json", tmp_path / "tuning"
        )

    return run


def test_folds_are_in_order_and_figures_those_of_the_first(read):
    found = read()
    assert [row["fold"] for row in found.chosen["lstm-aam"]] == [1, 2, 10]
    assert list(found.figures["lstm-aam"]) == ["Trials in order", "Margin against scale"]
    assert all(path.parent.name == "fold-1" for path in found.figures["lstm-aam"].values())


def test_the_page_says_what_tuning_brought(read, tmp_path):
    page = report.render(make_report(tmp_path, tuning=read()))
    assert "+5.0 on test (95 % interval +1.0 to +9.0): better than the constants" in page
    assert "<th>loss.margin_rad</th>" in page
    assert "Margin against scale: tuning of lstm-aam" in page
    assert "Nothing was tuned" not in page


def test_without_tuning_the_page_says_so(read, tmp_path):
    page = report.render(make_report(tmp_path, tuning=read(rows=())))
    assert "Nothing was tuned" in page


def test_a_table_that_does_not_fit_what_was_chosen_is_refused(read):
    with pytest.raises(LineageError, match="`dvc repro tune gain`"):
        read(content={"lstm": {}})
