"""Stages run in this process; whatever one of them reads must be what it says it reads."""

import fnmatch
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from ser.grid import runners
from ser.project import Project
from ser.tracking.memory_tracker import MemoryExperiment

#: Sets that are told of every file that is opened for reading.
LISTENERS = []


def listen(event, arguments):
    if event == "open" and LISTENERS and arguments[1] in ("r", "rb"):
        path = arguments[0]
        if isinstance(path, str | os.PathLike):
            for listener in LISTENERS:
                listener.add(os.path.realpath(path))


sys.addaudithook(listen)


class Anything(dict):
    """Words of dvc.yaml that stand for any."""

    def __missing__(self, word):
        return "*"


#: Read by every stage, and no dependency of its own: params, source, scratch, the store, and
#: what Python opens on its path to import an editable package.
FREE = (
    *("params*.yaml", "ser/*", "work/*", "mlruns/*", "dvc.lock"),
    "__editable__*",
)


def undeclared(main, arguments, read):
    """Files below the working directory that a program has read without saying so."""
    program, project = sys.modules[main.__module__], Project()
    said = [*program.reads(project, Anything()), *program.writes(project, Anything())]
    patterns = [path.as_posix() for path in said] + [str(argument) for argument in arguments]
    root = Path(os.path.realpath(Path.cwd()))
    below = {Path(path).relative_to(root).as_posix() for path in read if root in Path(path).parents}
    return {
        path
        for path in below
        if not any(fnmatch.fnmatch(path, p) or fnmatch.fnmatch(path, f"{p}/*") for p in patterns)
        and not any(fnmatch.fnmatch(path, pattern) for pattern in FREE)
    }


@contextmanager
def listened():
    read = set()
    LISTENERS.append(read)
    try:
        yield read
    finally:
        LISTENERS.remove(read)


@pytest.fixture
def workspace(project_with_params):
    """A folder with params, a raw corpus and the source, as the working directory."""
    return project_with_params


@pytest.fixture
def params(workspace):
    """Replace a text in params.yaml."""

    def replace(old, new):
        path = workspace / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return replace


@pytest.fixture
def experiments(monkeypatch):
    """Records in memory what would go to MLflow, by the experiment's name."""
    found = {}

    def open_experiment(name, **_):
        return found.setdefault(name, MemoryExperiment())

    monkeypatch.setattr(runners.mlflow_tracker, "open_experiment", open_experiment)
    return found


@pytest.fixture
def stage(capsys):
    """Run a stage's main; give its exit status and what it wrote to stderr."""

    def run(main, *arguments):
        with listened() as read:
            try:
                status = main([str(argument) for argument in arguments])
            except SystemExit as ended:  # argparse
                status = ended.code
        assert undeclared(main, arguments, read) == set()
        return status, capsys.readouterr().err

    return run


@pytest.fixture
def fails(stage):
    """Run a stage that must fail: exit status 1 and one message, no traceback."""

    def run(main, *arguments):
        status, err = stage(main, *arguments)
        assert status == 1, err
        assert err.count("error: ") == 1
        assert "Traceback" not in err
        return err[err.index("error: ") :]

    return run
