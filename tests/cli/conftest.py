"""The command line in this process, and an empty project for it."""

import sys

import pytest

from ser import runtime
from ser.cli import app as cli_app

runtime.configure()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the working directory."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return root


@pytest.fixture
def ser(monkeypatch, capsys):
    """Run `ser` in this process; give its exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ser", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli_app.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run
