"""Memory of extraction and training on a corpus ten times larger."""

import json
import subprocess
import sys

from benchmarks import memory, recordings
from benchmarks.measurement import Measurement

_COPIES = 10
_MIB = 2**20


def run(quick: bool) -> list[Measurement]:
    """Measure in processes of their own; nothing where the system does not tell."""
    if not memory.is_measurable():
        return []
    name = recordings.load(quick=quick).name
    small, large = (_grown(copies, quick=quick) for copies in (1, _COPIES))
    return [
        Measurement(
            name=f"memory that {job} adds at its peak, {_COPIES} x {name}",
            value=large[job] / _MIB,
            unit="MiB",
            better="lower",
            alternative=f"the same on {name} as it is",
            alternative_value=small[job] / _MIB,
            threads=1,
        )
        for job in small
    ]


def _grown(copies: int, *, quick: bool) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.memory", str(copies)]
    finished = subprocess.run(
        [*command, "--quick"] if quick else command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    grown: dict[str, int] = json.loads(finished.stdout.splitlines()[-1])
    return grown
