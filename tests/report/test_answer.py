"""The rows of the first screen."""

import pandas as pd

from ser.report import answer
from tests.evaluation.support import grid


def test_the_rows_next_to_the_best_say_how_far_they_are_behind():
    table = grid()
    found = answer.of(table)
    assert found.best["loss"] == table["loss"][0]
    (row,) = found.near
    assert row["lead"] == table["uar"][0] - table["uar"][1]
    assert found.not_told_apart == [f"lstm-{table['loss'][1]}"]
    assert found.num_others == 1


def test_so_many_rows_are_shown_and_all_that_are_not_told_apart_are_named():
    table = pd.concat([grid()] * 5, ignore_index=True)
    found = answer.of(table)
    assert len(found.near) == answer.NUM_NEAR
    assert len(found.not_told_apart) == found.num_others == 9


def test_groups_stand_beside_the_best_cell_of_every_model():
    table = pd.DataFrame(
        [("a", "x", 1, 5, 0.5), ("a", "y", 1, 5, 0.9), ("b", "x", 1, 5, 0.7),
         ("a", "x", 2, 6, 0.6), ("a", "y", 2, 6, 0.8), ("b", "x", 2, 6, 0.4)],
        columns=["model", "loss", "fold", "num_utterances", "uar"],
    )  # fmt: skip
    order = pd.DataFrame({"model": ["b", "a", "a"], "loss": ["x", "y", "x"]})
    found = answer.beside(table, "fold", order)
    assert list(found.columns) == ["fold", "num_utterances", "b-x", "a-y"]
    assert found.to_numpy().tolist() == [[1, 5, 0.7, 0.9], [2, 6, 0.4, 0.8]]
