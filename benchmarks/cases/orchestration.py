"""Stages that are missing, in the few processes of `ser grid` and with programs for each."""

import shlex
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import yaml

from benchmarks import equality, programs, timing
from benchmarks.measurement import Measurement
from ser import runtime

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
        commands = {
            Path(name) / "ours": [sys.executable, "ours.py", str(processors)],
            Path(name) / "alone": [sys.executable, "ours.py", "1"],
            Path(name) / "plain": [*programs.DVC, "repro", "--quiet"],
            Path(name) / "several": ["sh", "-c", _dvc_for_each(processors)],
        }
        for project in commands:
            _write(project, num_stages)
        contenders = [partial(_make, project, command) for project, command in commands.items()]
        seconds = timing.alternate(*contenders, repeats=1 if quick else 5)
        first, *others = map(_made, commands)
        for other in others:
            equality.require_same(first, other, what="outputs and dvc.lock")
    ours, alone, plain, several = seconds
    in_turn = "dvc repro: a program for each, one after another"
    at_once = f"xargs: a dvc repro and a program for each, {processors} at once"
    rows = (
        (processors, ours, in_turn, plain),
        (1, alone, in_turn, plain),
        (processors, ours, at_once, several),
    )
    return [
        Measurement(
            name=f"{num_stages} small stages, processes at once: {processes}",
            value=value,
            unit="seconds",
            better="lower",
            alternative=alternative,
            alternative_value=alternative_value,
            threads=1,
        )
        for processes, value, alternative, alternative_value in rows
    ]


def _dvc_for_each(processes: int) -> str:
    """Return how `make repro` ran its cells before there was `ser grid`, as a line of a shell."""
    dvc = shlex.join(programs.DVC)
    each = f"xargs -P {processes} -n 1 {dvc} --wait-for-lock repro --single-item --quiet"
    return f"{dvc} stage list --name-only | {each}"


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
    programs.init_dvc(project)


def _make(project: Path, command: list[str]) -> None:
    """Run a pipeline as if for the first time."""
    for path in project.glob("made-*"):
        path.unlink()
    (project / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(project / ".dvc" / "cache", ignore_errors=True)
    programs.call(project, *command)


def _made(project: Path) -> dict[str, str]:
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    outputs = {path.name: path.read_text() for path in project.glob("made-*")}
    return {**outputs, "dvc.lock": yaml.safe_dump(lock, sort_keys=True)}
