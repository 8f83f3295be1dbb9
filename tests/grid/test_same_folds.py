"""One process; with two of them it is tested in tests/training/test_fit.py."""

import pytest

from ser.errors import RankError
from ser.grid import same_folds
from ser.training import ranks

KEYS = {(1, 0): "a", (2, 0): "b"}


def test_what_decides_is_said_by_name_and_the_source_by_file():
    decisive = {"params": {"recipe": {"batch_size": 4}}, "fold": 1, "source": "of all files"}
    said = same_folds.by_name(decisive, {"ser/batch.py": "1f"})
    assert said == {"params.recipe.batch_size": "4", "fold": "1", "ser/batch.py": "1f"}


def test_one_process_agrees_with_itself_without_asking_what_decides():
    same_folds.require(KEYS, None)


def test_of_three_those_that_differ_are_named(monkeypatch):
    answers = iter(
        [
            [KEYS, KEYS, {**KEYS, (2, 0): "c"}],
            [(f"rank {n}", {"version": "2.11" if n < 2 else "2.12"}) for n in range(3)],
        ]
    )
    monkeypatch.setattr(ranks, "gathered", lambda _: next(answers))
    asked = []
    said = "^rank 0 says of rank 2: .*: version is 2.12 there and 2.11 here; bring its code[^;]*$"
    with pytest.raises(RankError, match=said):
        same_folds.require(KEYS, lambda job: asked.append(job) or {})
    assert asked == [(2, 0)]
