"""Feed damaged recordings and tables to the intake and the server's reader.

Each must end as an utterance, as a line of the rejections or as one sentence; nothing may be
printed, hang or take memory. A process of its own takes the inputs, so that a crash is seen.
"""

import argparse
import logging
import multiprocessing
import os
import re
import resource
import tempfile
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np

from benchmarks import mutations
from ser.data import intake, manifest
from ser.data.corpora import csv
from ser.errors import AudioInputError, CorpusError
from ser.serving import audio_input
from ser.serving.audio_input import InputLimits
from ser.utterance import Annotation, Parsed

MAX_SECONDS = 10.0
_MAX_GROWTH_BYTES = 512 * 2**20
_MAX_CHARS = 2000
_ADDRESS = re.compile("0x[0-9a-f]{8}")
_STDOUT, _STDERR = 1, 2


def check_recording(number: int, seed: int, folder: Path) -> str | None:
    """Take in one damaged recording; return what is wrong with how it ends, or None."""
    name, content = mutations.recording(np.random.default_rng([seed, number, 0]))
    (folder / "a.wav").write_bytes(content)
    params = csv.Params()
    parsed = Parsed((_annotation(),), ())
    taken = intake.take_in(parsed, root=folder, params=params, num_threads=1)
    manifest.write(folder / "manifest.jsonl", taken.utterances)
    manifest.write_rejections(folder / "rejected.jsonl", taken.rejections)
    try:
        audio_input.from_bytes(content, InputLimits())
        served = ""
    except AudioInputError as error:
        served = str(error)
    reason = taken.rejections[0].reason if taken.rejections else ""
    if (reason == "") != (served == ""):
        return f"{name}: training says {reason!r}, serving {served!r}"
    return _fault_of(reason) or _fault_of(served)


def check_table(number: int, seed: int, folder: Path) -> str | None:
    """Take in a corpus with a damaged table; return what is wrong with how it ends, or None."""
    (folder / "utterances.csv").write_bytes(
        mutations.table(np.random.default_rng([seed, number, 1]))
    )
    for name in "abcd":
        (folder / f"{name}.wav").write_bytes(mutations.originals()["WAV-PCM_16"])
    params = csv.Params(num_sessions=2)
    try:
        parsed = csv.build(params).parse(folder)
    except CorpusError as error:
        return None if str(error) else "an empty message"
    taken = intake.take_in(parsed, root=folder, params=params, num_threads=1)
    manifest.write(folder / "manifest.jsonl", taken.utterances)
    manifest.write_rejections(folder / "rejected.jsonl", taken.rejections)
    return next(filter(None, (_fault_of(r.reason) for r in taken.rejections)), None)


def run(numbers: range, seed: int, at: "Synchronized[int]", folder: Path) -> None:
    """Take all inputs; stop at the first fault, which is left in a file of the folder."""
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    printed = os.open(folder / "stderr", os.O_CREAT | os.O_RDWR)
    for descriptor in (_STDOUT, _STDERR):
        os.dup2(printed, descriptor)
    logging.disable()  # what is looked for is what libraries print
    for number in numbers:
        at.value = number
        for check in (check_recording, check_table):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                fault = check(number, seed, Path(place))
            grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident)
            if grown > _MAX_GROWTH_BYTES:
                fault = f"took {grown} bytes"
            if os.fstat(_STDERR).st_size:
                fault = f"printed {(folder / 'stderr').read_text(errors='replace')[:2000]}"
            if fault is not None:
                (folder / "fault").write_text(f"{check.__name__}: {fault}", encoding="utf-8")
                return


def supervise(numbers: range, seed: int) -> str | None:
    """Run inputs in a process of their own.

    Returns:
        What is wrong with the first bad one, and its number; None where all ended well.
    """
    context = multiprocessing.get_context("spawn")
    at = context.Value("l", -1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        worker = context.Process(target=run, args=(numbers, seed, at, folder))
        worker.start()
        last, began = -1, True
        while worker.is_alive():
            # The first round also waits for the worker's imports.
            worker.join(MAX_SECONDS * (6 if began else 1))
            began = False
            if worker.is_alive() and at.value == last:
                worker.kill()
                worker.join()
                return f"input {last} of seed {seed}: not done after {MAX_SECONDS:g} s"
            last = at.value
        if (folder / "fault").exists():
            fault = (folder / "fault").read_text(encoding="utf-8")
        elif worker.exitcode:
            printed = (folder / "stderr").read_text(errors="replace") if at.value >= 0 else ""
            fault = f"ended with status {worker.exitcode}: {printed[-2000:]}"
        else:
            return None
        return f"input {at.value} of seed {seed}: {fault}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--num", type=int, default=2000, help="recordings, and as many tables")
    parser.add_argument("--first", type=int, default=0, help="the first; a fault names its number")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    numbers = range(options.first, options.first + options.num)
    fault = supervise(numbers, options.seed)
    print(fault or f"{options.num} recordings and {options.num} tables ended well")
    return 0 if fault is None else 1


def _fault_of(reason: str) -> str | None:
    """Return what is wrong with a reason."""
    if "\n" in reason or len(reason) > _MAX_CHARS or _ADDRESS.search(reason):
        return f"not one short sentence: {reason[:_MAX_CHARS]!r}"
    return None


def _annotation() -> Annotation:
    return Annotation(
        id="a",
        corpus="csv",
        audio="a.wav",
        speaker="s1",
        gender="female",
        session="1",
        dialogue="a",
        scripted=None,
        text=None,
        label="angry",
        emotion="angry",
    )


if __name__ == "__main__":
    raise SystemExit(main())
