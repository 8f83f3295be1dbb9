"""Stages that are missing, in the few processes of `ser grid` and with a program for each."""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import yaml

from benchmarks import equality, timing
from benchmarks.measurement import Measurement
from ser import runtime

_ROOT = Path(__file__).resolve().parents[2]

#: What a stage does: it imports what one that trains a cell imports, and then next to nothing.
_PROGRAM = """
import sys
from pathlib import Path

from ser.grid import runners

Path(f"made-{sys.argv[1]}").write_text(Path("data").read_text() + sys.argv[1])
"""

_OURS = """
import sys
from pathlib import Path

from ser.engine.local import LocalEngine
from ser.workflow import missing_stages

if __name__ == "__main__":
    with LocalEngine(int(sys.argv[1])) as engine:
        missing = missing_stages.find(Path(), ["small"])
        missing_stages.run(missing, engine, Path())
"""


def run(quick: bool) -> list[Measurement]:
    """Run all stages of a fresh pipeline, each contender in a project of its own."""
    num_stages = 2 if quick else 12
    processors = runtime.num_processors()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        ours, alone, plain = (base / which for which in ("ours", "alone", "plain"))
        for project in (ours, alone, plain):
            _write(project, num_stages)
        contenders = [
            partial(_make, ours, [sys.executable, "ours.py", str(processors)]),
            partial(_make, alone, [sys.executable, "ours.py", "1"]),
            partial(_make, plain, [sys.executable, "-m", "dvc", "repro", "--quiet"]),
        ]
        seconds = timing.alternate(*contenders, repeats=1 if quick else 5)
        for project in (ours, alone):
            equality.require_same(_made(project), _made(plain), what="outputs and dvc.lock")
    return [
        Measurement(
            name=f"{num_stages} small stages, processes at once: {processes}",
            value=value,
            unit="seconds",
            better="lower",
            alternative="dvc repro: a program for each, one after another",
            alternative_value=seconds[-1],
            threads=1,
        )
        for processes, value in zip((processors, 1), seconds[:-1], strict=True)
    ]


def _write(project: Path, num_stages: int) -> None:
    """Write a pipeline of stages that do not read one another's outputs."""
    project.mkdir()
    (project / "data").write_text("made of: ")
    (project / "small.py").write_text(_PROGRAM)
    (project / "ours.py").write_text(_OURS)
    stage = {"cmd": "python -m small ${item}", "deps": ["data"], "outs": ["made-${item}"]}
    numbers = [str(number) for number in range(num_stages)]
    pipeline = {"stages": {"small": {"foreach": numbers, "do": stage}}}
    (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    _call(project, [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"])


def _make(project: Path, command: list[str]) -> None:
    """Run a pipeline as if for the first time."""
    for path in project.glob("made-*"):
        path.unlink()
    (project / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(project / ".dvc" / "cache", ignore_errors=True)
    _call(project, command)


def _made(project: Path) -> dict[str, str]:
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    outputs = {path.name: path.read_text() for path in project.glob("made-*")}
    return {**outputs, "dvc.lock": yaml.safe_dump(lock, sort_keys=True)}


def _call(project: Path, command: list[str]) -> None:
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(project), str(_ROOT)]),
        "DVC_SITE_CACHE_DIR": str(project / ".site-cache"),
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(command, cwd=project, env={**os.environ, **own}, check=True, capture_output=True)
