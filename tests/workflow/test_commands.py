import sys
from pathlib import Path

import pytest

from ser.errors import ParamsError
from ser.workflow import commands
from tests.workflow.support import check

CELL = "lstm-cross_entropy"
TUNED = {CELL: {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}}


def test_a_stage_is_a_program_with_its_words():
    assert commands.stage("split") == [sys.executable, "-m", "pipelines.split"]
    command = commands.stage("extract", "mfcc", params=Path("other.yaml"), folds=Path("folds"))
    assert command[2:] == [
        *("pipelines.extract", "mfcc"),
        *("--params", "other.yaml", "--folds", "folds"),
    ]


def test_a_cell_is_trained_by_its_name():
    command = commands.train(check(), CELL)
    assert command[:3] == [sys.executable, "-m", "pipelines.train"]
    assert command[3:] == [CELL]


def test_on_other_folds_it_is_trained_with_its_own_values():
    command = commands.train(check(), CELL, folds=Path("folds"))
    assert command[3:] == [CELL, "--untuned", "--folds", "folds"]


def test_the_command_is_the_same_whatever_starts_its_processes():
    several = commands.train(check(launcher="accelerate launch -m"), CELL)
    assert several == commands.train(check(), CELL)


def test_a_cell_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ParamsError, match=r"no cell 'lstm-focal'.*lstm-cross_entropy"):
        commands.train(check(), "lstm-focal")


def test_trials_are_run_without_writing_what_was_chosen():
    tuned = check(tuning={"cells": TUNED})
    stage = commands.stage("tune")
    assert commands.tune(tuned, [], None) == [*stage, "--trials-only"]
    assert commands.tune(tuned, [CELL], 2) == [*stage, "--workers", "2", "--trials-only", CELL]


def test_a_cell_that_is_not_tuned_is_refused():
    with pytest.raises(ParamsError, match=rf"tuning\.cells has no lstm-aam; there are: {CELL}"):
        commands.tune(check(tuning={"cells": TUNED}), ["lstm-aam"], None)
