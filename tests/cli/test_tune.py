import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from ser.cli import tune as commands
from ser.workflow import current

PARAMS = """
corpus: {name: emodb}
split: {}
audio: {}
features: {mfcc: {}}
models: {lstm: {}}
losses: {focal: {}}
recipes: {lstm: {}}
training: {}
extracted: {mfcc: {weights: none}}
baselines: {}
cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}
tuning: {cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}}
robustness: {without_copies: {}}
cross_corpus: {corpora: {}, cells: {}}
launcher: python -m
synthetic_corpora: []
synthetic_weights: {}
"""


@pytest.fixture
def described(project):
    (project / "params.yaml").write_text(PARAMS)
    return project


def test_a_cell_that_is_not_tuned_is_one_message(described, ser):
    status, _, err = ser("tune", "lstm-aam")
    assert status == 1
    assert "tuning.cells has no lstm-aam; there are: lstm-focal" in err


def test_the_commands_exit_status_is_that_of_the_stage(described, monkeypatch):
    ran = []
    monkeypatch.setattr(current, "require_data", lambda *_: None)  # nothing was prepared here
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: ran.append(command) or SimpleNamespace(returncode=3),
    )
    app = typer.Typer()
    app.command()(commands.tune)
    result = CliRunner().invoke(app, ["lstm-focal", "--workers", "2"])
    assert result.exit_code == 3
    words = ["--workers", "2", "--trials-only", "lstm-focal"]
    assert ran == [[sys.executable, "-m", "pipelines.tune", *words]]
    assert " ".join(words) in result.stdout


def test_data_that_params_yaml_does_not_name_is_not_tuned_on(described, ser, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was started"))
    status, _, err = ser("tune", "lstm-focal")
    assert status == 1
    assert err.startswith("error: data/corpus.json: no such file")
