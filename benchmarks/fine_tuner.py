"""Steps of one way to fine-tune, in a process of its own; `benchmarks.cases.finetuning` starts it.

Each way has the settings of whoever would use it: the project its own, the others those that
torch and transformers come with. What one of them leaves in memory, or asks of the C library or of
OpenMP, is no other's.

`python -m benchmarks.fine_tuner` reads a `Job` as a line of JSON, and then takes one step per line;
it answers each with the seconds that the step took.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal

from ser import runtime
from ser.errors import SerError

Way = Literal["project", "recipe", "trainer"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a process fine-tunes.

    Args:
        way: The project; the published recipe; the Hugging Face Trainer.
        settings: Of the transformer, see `ssl_training.Size`.
        freeze: What of it is frozen.
        is_half: Whether forward passes are in bfloat16.
        lengths: Frames per utterance.
        batches: Rows of each batch, in order.
        num_threads: Of torch.
    """

    way: Way
    settings: Mapping[str, Any]
    freeze: Literal["feature_encoder"] | int
    is_half: bool
    lengths: Sequence[int]
    batches: Sequence[Sequence[int]]
    num_threads: int


class FineTuner:
    """A process that takes its steps when it is asked to.

    Args:
        job: What it does.
    """

    def __init__(self, job: Job) -> None:
        self.way = job.way
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fine_tuner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(job.way),
        )
        self._say(json.dumps(asdict(job)))

    def step(self) -> float:
        """Return the seconds of the next batch.

        Raises:
            SerError: The process has ended, e.g. for want of memory.
        """
        with suppress(BrokenPipeError):  # it has ended; why is said below
            self._say("")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SerError(f"fine-tuning by the {self.way}: exit status {self._process.wait()}")
        return float(line)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


@contextmanager
def started(jobs: Sequence[Job]) -> Iterator[list[FineTuner]]:
    """Start a process for each job, and end them all after the block."""
    found: list[FineTuner] = []
    try:
        found.extend(FineTuner(job) for job in jobs)
        yield found
    finally:
        for tuner in found:
            tuner.close()


def _environment(way: Way) -> dict[str, str]:
    """Return what a program is started with: the project sets its own choices by itself."""
    others = {name: value for name, value in os.environ.items() if name not in runtime.DEFAULTS}
    return dict(os.environ) if way == "project" else others


def main() -> None:
    """Take steps until nobody asks any more."""
    job = Job(**json.loads(sys.stdin.readline()))
    # Libraries print, too; what goes to the one who asks is the seconds alone.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if job.way == "project":
        runtime.configure()
    _take_steps(job, answers)


def _take_steps(job: Job, answers: IO[str]) -> None:
    import torch

    from benchmarks import hugging_face_trainer, ssl_training
    from ser.training import device
    from ser.training.recipe import TrainingParams

    def tell(seconds: float) -> None:
        answers.write(f"{seconds}\n")
        answers.flush()

    size = ssl_training.Size(dict(job.settings))
    torch.set_num_threads(job.num_threads)
    if job.way == "trainer":
        hugging_face_trainer.train(
            ssl_training.published_model(size, job.freeze),
            hugging_face_trainer.InTurn(
                [ssl_training.inputs_of(rows, job.lengths) for rows in job.batches],
                lambda _turn: _wait(),
            ),
            tell,
            learning_rate=ssl_training.LEARNING_RATE,
            is_half=job.is_half,
        )
        return
    if job.way == "project":
        precision: Any = "bfloat16" if job.is_half else "float32"
        device.accelerator(
            TrainingParams(device="cpu", precision=precision, num_threads=job.num_threads)
        )
        step = ssl_training.on_cached_frames(size, job.freeze, job.lengths, is_half=job.is_half)
    else:
        step = ssl_training.on_waveforms(size, job.freeze, job.lengths)
    for rows in job.batches:
        _wait()
        gc.collect()
        start = time.perf_counter()
        step(rows)
        tell(time.perf_counter() - start)


def _wait() -> None:
    if not sys.stdin.readline():
        raise SystemExit


if __name__ == "__main__":
    main()
