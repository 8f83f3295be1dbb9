"""Stages of a project, each measured in a process of its own."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import metering
from benchmarks.metering import Taken
from ser import runtime


@dataclass(frozen=True, slots=True)
class Stage:
    """A program that is measured.

    Args:
        name: As dvc.yaml names it.
        module: Of its program.
        words: Its command line.
    """

    name: str
    module: str
    words: tuple[str, ...] = ()

    @staticmethod
    def of(name: str) -> "Stage":
        """Return a stage by its name in dvc.yaml."""
        program, _, word = name.partition("@")
        return Stage(name, f"pipelines.{program}", (word,) if word else ())


@dataclass(frozen=True, slots=True)
class Measured:
    """What a stage took.

    Args:
        taken: Time and memory.
        disk: Bytes that it left on disk.
        epoch_s: Of a training: from the end of its first epoch to that of its last, per epoch.
    """

    taken: Taken
    disk: int
    epoch_s: float | None = None

    @staticmethod
    def of_json(content: Mapping[str, Any]) -> "Measured":
        """Return what `dataclasses.asdict` made of one."""
        return Measured(Taken(**content["taken"]), content["disk"], content["epoch_s"])


def measure(stage: Stage, root: Path) -> Measured:
    """Run a stage of the project in a folder and return what it took.

    Raises:
        SerError: It failed; it has said why.
    """
    before = disk_bytes(root)
    taken = metering.run(stage.module, stage.words, root)
    return Measured(taken, max(0, disk_bytes(root) - before))


def disk_bytes(root: Path) -> int:
    """Return what a folder takes on disk; a file of several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def machine() -> str:
    """Return what this runs on: processors, and the GPU where there is one."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.processor() or platform.machine())
    said = f"{runtime.num_processors()} processors ({processor}), torch {torch.__version__}"
    return f"{torch.cuda.get_device_name()}, {said}" if torch.cuda.is_available() else said


def say(text: str) -> None:
    """Tell whoever waits how far the work is."""
    sys.stderr.write(f"{text}\n")
