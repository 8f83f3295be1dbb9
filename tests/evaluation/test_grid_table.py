import json

import numpy as np
import pandas as pd
import pytest

from ser.evaluation import grid_table, summary
from ser.project import Project
from tests.evaluation.support import cell, grid


def test_the_grid_has_the_columns_of_the_contract_and_the_best_cell_first():
    table = grid()
    assert list(table.columns) == [
        "model", "loss", "num_folds", "num_seeds", "uar", "uar_low", "uar_high",
        "wa", "wa_low", "wa_high", "macro_f1", "mcc", "ece", "tied_with_best",
        "probability_best", "p_against_best", "p_corrected",
        "uar_corrected", "uar_corrected_low", "uar_corrected_high",
    ]  # fmt: skip
    assert table["probability_best"].sum() == pytest.approx(1.0)
    first, *others = table.to_dict("records")
    assert 0 < first["uar_corrected"] <= first["uar"]
    shift = first["uar"] - first["uar_corrected"]
    assert first["uar_corrected_low"] == pytest.approx(first["uar_low"] - shift)
    assert np.isnan(first["p_against_best"])
    assert all(np.isnan(row["uar_corrected"]) and row["p_against_best"] > 0 for row in others)
    assert table["uar"].is_monotonic_decreasing
    assert bool(table["tied_with_best"].iloc[0])


def test_a_cell_that_a_paired_test_tells_from_the_best_is_not_tied(tmp_path):
    # Six speakers: the exact test can reach 2 / 2^6.
    frame, speaker_of = cell(num_folds=6)
    good = frame.assign(
        prediction=frame["truth"],
        **{
            f"probability_{e}": (frame["truth"] == e).astype(float)
            for e in ("angry", "happy", "neutral", "sad")
        },
    )
    table = grid_table.table(
        {
            ("lstm", "focal"): summary.summarise(frame, speaker_of),
            ("lstm", "cross_entropy"): summary.summarise(good, speaker_of),
        }
    )
    assert table["loss"].tolist() == ["cross_entropy", "focal"]
    assert table["tied_with_best"].tolist() == [True, False]
    project = Project(tmp_path)
    grid_table.write(project, table)
    back = pd.read_csv(project.grid)
    assert list(back.columns) == list(table.columns)[:14]
    standing = pd.read_csv(project.breakdown("best"))
    assert list(standing.columns) == ["model", "loss", *list(table.columns)[14:]]
    assert standing["p_corrected"].tolist() == pytest.approx(table["p_corrected"].tolist())
    assert back["uar"].tolist()[0] == 1.0
    of_cell = json.loads((project.for_dvc("metrics") / "lstm-cross_entropy.json").read_text())
    assert of_cell["uar"] == 1.0
    assert list(of_cell) == ["uar", "uar_low", "uar_high", "wa", "macro_f1"]
    text = grid_table.as_text(table)
    assert "100.0" in text
    assert text.splitlines()[1].endswith("=")
    assert not text.splitlines()[2].endswith("=")


def test_long_names_move_no_column():
    rows = [("lstm", "focal"), ("whisper__fine_tuned", "focal__gamma_from_the_paper")]
    frame = pd.DataFrame(rows, columns=["model", "loss"]).assign(
        uar=0.5, uar_low=0.4, uar_high=0.6, wa=0.5, tied_with_best=False
    )
    header, short, long = grid_table.as_text(frame).splitlines()
    assert short.index("50.0") == long.index("50.0")
    assert header.index("UAR %") + len("UAR %") == short.index("50.0") + len("50.0")
    assert grid_table.names_as_text(frame[:1]) == [
        f"{'model':<10} {'loss':<16}",
        f"{'lstm':<10} {'focal':<16}",
    ]
