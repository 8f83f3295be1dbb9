"""Processes of the campaign: forked from this one, which has the large packages already."""

import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kills.interruption import Counter, Interruption
from benchmarks.warm_python import PACKAGES

#: What takes seconds to import, beside `PACKAGES`.
_MODULES = (
    "transformers.models.auto.modeling_auto",
    "transformers.models.wav2vec2.modeling_wav2vec2",
    "ser.cli.app",
    "ser.promotion.registration",
    "ser.report.comparison",
    "ser.serving.many_recordings",
    "ser.tracking.mlflow_tracker",
    "ser.workflow.diagnosis",
    "ser.workflow.dvc_diagnosis",
    "ser.workflow.leftovers",
    "ser.workflow.missing_stages",
    "ser.workflow.preset",
    *sorted(
        f"pipelines.{path.stem}"
        for path in (Path(__file__).parents[2] / "pipelines").glob("[a-z]*.py")
    ),
)

#: No command of the campaign takes longer; one that does hangs, in seconds.
_LIMIT_S = 600.0

_PERIOD_S = 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs.

    Args:
        root: Its working directory, below which file operations are counted.
        environment: Added to this process' own.
        python: What it starts where it starts its own interpreter.
    """

    root: Path
    environment: Mapping[str, str]
    python: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended.

    Args:
        status: Its exit status, negative for a signal.
        num_operations: File operations that it was counted to do; 0 where it was killed.
        output: What it wrote.
    """

    status: int
    num_operations: int
    output: str


def import_packages() -> None:
    """Import what the children need, once."""
    for name in (*PACKAGES, *_MODULES):
        importlib.import_module(name)


def run(
    main: Callable[[], int | None], place: Place, interruption: Interruption | None = None
) -> Ended:
    """Run a program in a process of its own; what it started ends with it.

    Args:
        main: The program.
        place: Where it runs.
        interruption: When it is interrupted.

    Raises:
        TimeoutError: It hangs.
    """
    with tempfile.TemporaryDirectory() as folder:
        output, count = Path(folder) / "output", Path(folder) / "count"
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _be_the_child(main, place, interruption, output, count)
        status = _wait(pid)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        number = json.loads(count.read_text()) if count.exists() else 0
        text = output.read_text("utf-8", "replace") if output.exists() else ""
    return Ended(status, number, text)


def _wait(pid: int) -> int:
    limit = time.monotonic() + _LIMIT_S
    while time.monotonic() < limit:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_PERIOD_S)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"a process still ran after {_LIMIT_S:g} s")


def _be_the_child(
    main: Callable[[], int | None],
    place: Place,
    interruption: Interruption | None,
    output: Path,
    count: Path,
) -> None:
    """Run the program and end without returning to the code of the campaign."""
    status = 1
    try:
        # In this session still: what is started by `warm_python` gets into the group, too.
        os.setpgid(0, 0)
        # Where a shell started the campaign in the background, Ctrl-C is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _redirect(output)
        os.chdir(place.root)
        os.environ.update(place.environment)
        sys.executable = str(place.python)
        counter = Counter(place.root, interruption)
        counter.install()
        status = _status(main)
        sys.stdout.flush()
        sys.stderr.flush()
        count.write_text(json.dumps(counter.count))
    finally:
        os._exit(status)


def _redirect(output: Path) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)


def _status(main: Callable[[], int | None]) -> int:
    try:
        return main() or 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 (whatever it is, its traceback is what is asked for)
        traceback.print_exc()
        return 1
