"""Processes that fine-tune in turn; the transformer is tiny."""

import os

import pytest

from benchmarks import fine_tuner, ssl_training
from benchmarks.fine_tuner import Job
from ser import runtime
from ser.errors import SerError

LENGTHS = [12, 10, 9, 14]


def job(way, **changes):
    settings = {
        "way": way,
        "settings": ssl_training.TINY.settings,
        "freeze": 6,
        "is_half": False,
        "lengths": LENGTHS,
        "batches": [[0, 1], [2, 3]],
        "num_threads": 1,
    }
    return Job(**{**settings, **changes})


@pytest.mark.system
def test_each_way_takes_a_step_when_it_is_asked_and_no_other(capfd):
    with fine_tuner.started(
        [job("project"), job("recipe"), job("trainer", is_half=True)]
    ) as tuners:
        seconds = [tuner.step() for _ in range(2) for tuner in tuners]
        for tuner in tuners:
            with pytest.raises(SerError, match=f"fine-tuning by the {tuner.way}: exit status 0"):
                tuner.step()  # there is no third batch
    assert len(seconds) == 6
    assert all(taken > 0 for taken in seconds)


@pytest.mark.system
def test_a_process_that_cannot_train_is_named_with_its_status(capfd):
    with (
        fine_tuner.started([job("recipe", lengths=[])]) as (tuner,),
        pytest.raises(SerError, match="fine-tuning by the recipe: exit status 1"),
    ):
        tuner.step()
    assert "IndexError" in capfd.readouterr().err


def test_only_the_project_brings_its_own_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", {**runtime.DEFAULTS, "PATH": "bin"})
    assert fine_tuner._environment("project") == {**runtime.DEFAULTS, "PATH": "bin"}
    assert fine_tuner._environment("trainer") == {"PATH": "bin"}
