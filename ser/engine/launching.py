"""The processes of one fit: started as params.yaml says, with one message where one of them fails.

A launcher (torchrun, `accelerate launch`) starts ranks (`ser.training.ranks`) that run the program
which has started it. Python's launchers run in this process, which so knows what became of each
rank; what they themselves would print is a page of tracebacks.
"""

import importlib
import logging
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ser import runtime
from ser.engine.launcher_params import DIRECTLY, LauncherParams
from ser.errors import ParamsError, RankError, RankLostError
from ser.params import read
from ser.training import ranks

#: Names a folder, to the processes that are started here.
_MARK = "SER_RANKS"
#: The file in it where the first rank that fails says why.
_WHY = "why"

#: Programs of Python that start ranks -> the module with their `main`.
_LAUNCHERS = {
    "torchrun": "torch.distributed.run",
    "accelerate": "accelerate.commands.accelerate_cli",
}

#: The exit status of a rank that ends because another one did; that of a failure to be tried again.
_LOST = 75

#: Seconds that rank 0 gets to close its runs when it is to end, and between two looks at what has
#: started it.
_GRACE_S, _PERIOD_S = 10.0, 0.5


def due(params_file: Path) -> str | None:
    """Return what shall start the ranks of this program; None where it is to train itself.

    Args:
        params_file: params.yaml.

    Raises:
        ParamsError: `launcher` would not do.
    """
    if _MARK in os.environ or ranks.announced() > 1:
        return None
    launcher = read(params_file, LauncherParams).launcher
    return None if launcher == DIRECTLY else launcher


def start(launcher: str, program: str, words: Sequence[str]) -> int:
    """Run a program in several processes, and wait until all have ended.

    Args:
        launcher: What starts them, as params.yaml has it.
        program: The module that they run, which calls `run_main`.
        words: Of its command line.

    Returns:
        The exit status of the first that failed, which has printed why; 0 if none has.

    Raises:
        ParamsError: The launcher is no program here, or refuses its options.
        RankError: A rank failed, was killed, or lost those of another machine.
        KeyboardInterrupt: Ctrl-C or SIGTERM came, and all have ended.
    """
    command = [*shlex.split(launcher), program, *words]
    with tempfile.TemporaryDirectory(prefix="ser-ranks-") as name:
        os.environ[_MARK] = name
        try:
            status = _status(launcher, command)
        except RankError:
            _say_why(Path(name))
            raise
        finally:
            del os.environ[_MARK]
        if status:
            _say_why(Path(name))
        return status


def run_main(function: Callable[[], int | None]) -> int:
    """Run a program's body as `ser.runtime.run_main`, as a rank too.

    A rank does not print why it fails but says it to whoever has started it; without that
    (`torchrun -m pipelines.train`) each prints its own.

    Args:
        function: The body.

    Returns:
        The exit status.
    """
    folder = os.environ.get(_MARK)
    return runtime.run_main(lambda: _as_rank(function, None if folder is None else Path(folder)))


def _status(launcher: str, command: Sequence[str]) -> int:
    """Run a launcher and return its exit status; where it knows of its ranks, raise instead."""
    module = _LAUNCHERS.get(command[0])
    if module is not None:
        return _run_here(launcher, module, command)
    program = [sys.executable, *command[1:]] if command[0] == "python" else command
    try:
        process = subprocess.Popen(program)
    except OSError as error:
        raise ParamsError(
            f"params.yaml: launcher is {launcher!r}, but {command[0]} cannot be run here "
            f"({error.strerror}); write `torchrun --standalone --nproc-per-node 2 -m`, or "
            f"`{DIRECTLY}`"
        ) from error
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _run_here(launcher: str, module: str, command: Sequence[str]) -> int:
    """Run a launcher of Python in this process, without what it prints of failures."""
    # Here, not at the top: few start ranks.
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    given, sys.argv = sys.argv, list(command)
    logging.disable(logging.CRITICAL)
    try:
        importlib.import_module(module).main()
    except ChildFailedError as error:
        return _judged({rank: (one.pid, one.exitcode) for rank, one in error.failures.items()})
    except subprocess.CalledProcessError as error:
        return _judged({0: (None, error.returncode)})
    except SignalException as error:
        is_told = error.sigval is signal.SIGTERM
        raise (runtime.Terminated if is_told else KeyboardInterrupt) from None
    except SystemExit as end:  # it has said itself which of its options is wrong
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        raise RankError(
            f"params.yaml: launcher is {launcher!r}, which cannot start: {error}; see "
            f"`{command[0]} --help` and docs/gpu.md"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
        sys.argv = given
    return 0


def _judged(failures: Mapping[int, tuple[int | None, int]]) -> int:
    """Return the exit status of the rank that failed first, or raise what it cannot say itself.

    Args:
        failures: Rank -> its process, and its exit status, minus the signal that ended it.
    """
    for rank, (pid, status) in failures.items():
        if status < 0:
            which = f"rank {rank}" if pid is None else f"rank {rank} (process {pid})"
            raise RankError(
                f"{which} was killed by signal {-status} ({_name(-status)}), and the others have "
                f"been ended; if memory ran out, take smaller batches; the same command goes on "
                f"from the last checkpoint"
            )
    statuses = [status for _, status in failures.values()]
    if set(statuses) == {_LOST}:
        raise RankError(
            "a process of this fit has ended on another machine, whose messages say why, so those "
            "here have ended, too; the same commands go on from the last checkpoint"
        )
    return next(status for status in statuses if status != _LOST)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _say_why(folder: Path) -> None:
    """Raise what a rank has said to be the reason of its end, if one has."""
    why = folder / _WHY
    if why.exists():
        raise RankError(why.read_text(encoding="utf-8")) from None


def _as_rank(function: Callable[[], int | None], folder: Path | None) -> int | None:
    """Run a program's body, and leave the reason of its failure in a folder, if there is one."""
    if ranks.number():  # rank 0 says how it goes
        logging.getLogger().setLevel(logging.WARNING)
    if folder is None:
        with ranks.noticing_the_lost():
            return function()
    try:
        with _ending_in_time(), ranks.noticing_the_lost():
            return function()
    except KeyboardInterrupt as error:
        return runtime.TERMINATED if isinstance(error, runtime.Terminated) else runtime.INTERRUPTED
    except RankLostError:
        return _LOST
    except Exception as error:
        message = runtime.explained(error)
        # The folder is of one machine, the mark may have come to others.
        if message is None or not folder.is_dir():
            raise
        try:
            with (folder / _WHY).open("x", encoding="utf-8") as file:
                file.write(message)
        except FileExistsError:
            pass  # another rank has said why
        return runtime.FAILED


@contextmanager
def _ending_in_time() -> Iterator[None]:
    """Let a rank end when it is told to, or when what has started it has ended.

    It may then wait for another rank inside of torch, where Python handles no signal. Only rank 0
    has something to close.
    """
    ending = (signal.SIGTERM, signal.SIGINT)
    if ranks.number():
        for one in ending:
            signal.signal(one, signal.SIG_DFL)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(reads, ending, os.getppid()), daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.close(writes)  # which ends the watch


def _watch(reads: int, ending: Sequence[int], parent: int) -> None:
    """Wait until the process is to end, and end it where it does not do so itself."""
    while True:
        ready, _, _ = select.select([reads], [], [], _PERIOD_S)
        if ready:
            if not (arrived := os.read(reads, 64)):
                os.close(reads)
                return
            if any(number in ending for number in arrived):
                break
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            break
    time.sleep(_GRACE_S)
    os._exit(runtime.TERMINATED)
