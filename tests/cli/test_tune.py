import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from ser.cli import tune as commands
from ser.errors import ParamsError

PARAMS = """
corpus: {name: emodb}
split: {}
audio: {}
features: {mfcc: {}}
models: {lstm: {}}
losses: {focal: {}}
recipes: {lstm: {}}
training: {}
extracted: {mfcc: {}}
baselines: {}
cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}
tuning: {cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}}
"""
PIPELINE = """
stages:
  tune:
    cmd: >-
      python -m pipelines.tune --data data --out data/tuned.json --figures reports/tuning
"""
STAGE = [sys.executable, "-m", "pipelines.tune", "--data", "data", "--figures", "reports/tuning"]


@pytest.fixture
def described(project):
    (project / "params.yaml").write_text(PARAMS)
    (project / "dvc.yaml").write_text(PIPELINE)
    return project


def test_the_stage_is_run_without_its_output(described):
    assert commands.tune_command([], None) == STAGE
    assert commands.tune_command(["lstm-focal"], 2) == [*STAGE, "--workers", "2", "lstm-focal"]


def test_a_cell_that_is_not_tuned_is_refused(described):
    with pytest.raises(ParamsError, match=r"tuning\.cells has no lstm-aam; there are: lstm-focal"):
        commands.tune_command(["lstm-aam"], None)


def test_the_commands_exit_status_is_that_of_the_stage(described, monkeypatch):
    ran = []
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: ran.append(command) or SimpleNamespace(returncode=3),
    )
    app = typer.Typer()
    app.command()(commands.tune)
    result = CliRunner().invoke(app, ["lstm-focal", "--workers", "2"])
    assert result.exit_code == 3
    assert ran == [[*STAGE, "--workers", "2", "lstm-focal"]]
    assert "--workers 2 lstm-focal" in result.stdout
