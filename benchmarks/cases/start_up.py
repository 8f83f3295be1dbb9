"""What a cell costs before it trains: starting its process."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measurement import Measurement

_ROOT = Path(__file__).resolve().parents[2]

OURS = (sys.executable, "-m", "pipelines.train", "--help")
#: The packages this project is built on, as a script imports that takes them all at its top.
EVERYTHING = (
    sys.executable,
    "-c",
    "import accelerate, librosa, matplotlib.pyplot, mlflow, optuna, pandas, sklearn.svm, torch, "
    "torchaudio, transformers; from transformers import AutoModel, Trainer",
)


def run(quick: bool) -> list[Measurement]:
    """Start fresh processes in turn; the files they read are in the system's cache."""
    commands = (OURS, EVERYTHING)
    seconds: list[list[float]] = [[], []]
    for repeat in range(2 if quick else 6):
        for command, taken in zip(commands, seconds, strict=True):
            start = time.perf_counter()
            subprocess.run(command, cwd=_ROOT, check=True, capture_output=True)
            # The first start of each fills the cache and is not counted.
            if repeat:
                taken.append(time.perf_counter() - start)
    ours, everything = map(statistics.median, seconds)
    return [
        Measurement(
            name="start-up of one training cell, imports included",
            value=ours,
            unit="seconds",
            better="lower",
            alternative="a process that imports all packages the project is built on",
            alternative_value=everything,
            threads=1,
        )
    ]
