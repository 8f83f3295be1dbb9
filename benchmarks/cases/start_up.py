"""What a cell costs before it trains: starting its process."""

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measurement import Measurement

_ROOT = Path(__file__).resolve().parents[2]

OURS = (sys.executable, "-m", "pipelines.train", "--help")
#: The programs of all stages: what one program for the whole pipeline would import.
_STAGES = sorted(set(re.findall(r"pipelines\.\w+", (_ROOT / "dvc.yaml").read_text("utf-8"))))
EVERY_STAGE = (sys.executable, "-c", f"import {', '.join(_STAGES)}")


def run(quick: bool) -> list[Measurement]:
    """Start fresh processes in turn; the files they read are in the system's cache."""
    commands = (OURS, EVERY_STAGE)
    seconds: list[list[float]] = [[], []]
    for repeat in range(2 if quick else 6):
        for command, taken in zip(commands, seconds, strict=True):
            start = time.perf_counter()
            subprocess.run(command, cwd=_ROOT, check=True, capture_output=True)
            # The first start of each fills the cache and is not counted.
            if repeat:
                taken.append(time.perf_counter() - start)
    ours, every_stage = map(statistics.median, seconds)
    return [
        Measurement(
            name="start-up of one training cell, imports included",
            value=ours,
            unit="seconds",
            better="lower",
            alternative="a process that imports what the programs of all stages import",
            alternative_value=every_stage,
            threads=1,
        )
    ]
