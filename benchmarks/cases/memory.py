"""Memory of extraction and training on a corpus ten times larger."""

import json
import os
import subprocess
import sys

from benchmarks import metering, recordings
from benchmarks.measurement import Measurement
from benchmarks.training_setup import FEATURE

_COPIES = 10
_MIB = 2**20
#: glibc keeps freed memory for speed, more of it the more different sizes were freed. Here
#: it gives it back, so that what is measured is what is held.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "33554432"}
_BINS = 60
_BYTES = 4


def run(quick: bool) -> list[Measurement]:
    """Measure in processes of their own; nothing where the system does not tell."""
    if not metering.is_measurable():
        return []
    corpus = recordings.load(quick=quick)
    small, large = (_grown(copies, quick=quick) for copies in (1, _COPIES))
    added_s = (_COPIES - 1) * sum(utterance.duration_s for utterance in corpus.utterances)
    added = added_s * 1000 / FEATURE.hop_ms * _BINS * _BYTES
    rows = []
    name = corpus.name
    for job in small:
        # Beside the corpus as it is, what a program would take that holds all frames.
        compared = {
            f"the same on {name} as it is": small[job],
            f"that of {name} as it is, and the frames of what was added": small[job] + added,
        }
        rows += [
            Measurement(
                name=f"memory that {job} adds at its peak, {_COPIES} x {name}",
                value=large[job] / _MIB,
                unit="MiB",
                better="lower",
                alternative=alternative,
                alternative_value=num_bytes / _MIB,
                threads=1,
            )
            for alternative, num_bytes in compared.items()
        ]
    return rows


def _grown(copies: int, *, quick: bool) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.memory", str(copies)]
    finished = subprocess.run(
        [*command, "--quick"] if quick else command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **_ALLOCATOR},
    )
    grown: dict[str, int] = json.loads(finished.stdout.splitlines()[-1])
    return grown
