"""How a process of this project behaves: its environment, its signals, its exit status."""

import atexit
import ctypes
import errno
import functools
import gc
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ser.errors import FullDiskError, SerError

#: Set before heavy imports, and only where the person at the keyboard has not.
DEFAULTS: Mapping[str, str] = {
    # Spinning OpenMP threads slow an LSTM on a contended machine a hundredfold.
    "OMP_WAIT_POLICY": "PASSIVE",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Left alone, MLflow's client tries a dead server for four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # With a server it would say after each run where to look, among what a command answers.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A checkpoint is downloaded only where someone asks for it, never by a typing error.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "DVC_NO_ANALYTICS": "true",
    # MLflow imports GitPython, which complains loudly on a machine without git.
    "GIT_PYTHON_REFRESH": "quiet",
    "MPLBACKEND": "Agg",
    # Without it, cuBLAS has no deterministic matrix product.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}

#: Of these, what a program of somebody else gets that imports this project as a library: its own
#: downloads, figures and retries are its own business.
OF_A_LIBRARY = ("OMP_WAIT_POLICY", "MLFLOW_DISABLE_TELEMETRY", "GIT_PYTHON_REFRESH")

#: Libraries that report their own progress at level INFO.
_NOISY_LOGGERS = (
    *("alembic", "httpx2", "mlflow", "matplotlib", "numexpr", "torch"),
    "mlflow.pyfunc",  # MLflow sets the level of its own when it is imported, later
)

#: Prints the traceback of whatever a database refuses, and MLflow then raises it.
_TELLS_TWICE = "mlflow.store.db.utils"

#: The numbers of a full disk, and of a person's share of it.
_FULL = (errno.ENOSPC, errno.EDQUOT)

#: Numbers by which a machine refuses a file that is there: rights, a disk that is read-only or
#: damaged, too many open files.
_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)

#: What sqlite, safetensors, libsndfile and NumPy say of it.
_SAYS_FULL = re.compile(
    r"no space left on device|disk quota exceeded|disk is full|code: (28|122)\b"
    r"|\d+ requested and \d+ written",
    re.IGNORECASE,
)

#: What keeps freed memory, by the names that a person may give it in the environment: the number of
#: the parameter of glibc's `mallopt`, from its malloc.h, and its value. The first is when to give
#: memory back to the system, the second how many blocks are mapped one by one, which go back as
#: soon as they are freed.
_KEEPS_MEMORY = {
    ("MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold"): (-1, -1),
    ("MALLOC_MMAP_MAX_", "glibc.malloc.mmap_max"): (-4, 0),
}

#: New objects after which Python looks for garbage: its own three numbers, and while a program
#: imports more than torch and MLflow make together.
_THRESHOLDS, _WHILE_IMPORTING = gc.get_threshold(), 5_000_000

FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived; treated like Ctrl-C so that open runs are closed as killed."""


def configure(names: Iterable[str] = tuple(DEFAULTS)) -> None:
    """Set the process-wide environment; call it before torch, MLflow or transformers.

    Values already in the environment win. The process will end without Python's last collections of
    garbage, which look through all that is imported: with torch and MLflow, for over a second.

    Args:
        names: Of `DEFAULTS`; all of them unless said otherwise.
    """
    for name in names:
        os.environ.setdefault(name, DEFAULTS[name])
    atexit.unregister(gc.freeze)  # once is enough
    atexit.register(gc.freeze)


def num_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for what it asks for next.

    A step of fine-tuning frees hundreds of megabytes and the next one asks for as many. glibc gives
    them back to the system between, which clears each page anew: a tenth of the step on a CPU. The
    process then looks as large as it ever was. Other C libraries have no such choice, and nothing
    is done there. What the environment says of either setting, by glibc's own variables or by
    `GLIBC_TUNABLES`, holds.
    """
    if sys.platform != "linux":
        return
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is None:
        return
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    for (variable, tunable), (parameter, value) in _KEEPS_MEMORY.items():
        if variable not in os.environ and tunable not in tunables:
            choose(parameter, value)


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Turn the first SIGTERM inside the block into `Terminated`.

    A second one ends the process at once, as it would have done before. Outside the main
    thread, where Python allows no handlers, the block changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGTERM)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        # A handler that was not installed from Python is reported as None.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if previous is None else previous)


class HeldInterrupts:
    """Ctrl-C and SIGTERM, kept back while what must not be cut in two is done.

    The first one waits until it is let through. Whoever asks a second time is not kept waiting,
    e.g. for a server that does not answer. Outside the main thread there is nothing to keep back.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._waiting: int | None = None

    def hold(self) -> None:
        """Keep them back, those that Python handles; what ends the process at once still does."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(handler := signal.getsignal(number)):
                self._handlers[number] = handler
                signal.signal(number, self._keep)

    def release(self) -> None:
        """Let them through again, with the one that waits.

        Raises:
            KeyboardInterrupt: One waited.
        """
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            signal.raise_signal(waiting)

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Let them through inside the block; see `holding_interrupts`."""
        try:
            self.release()
            yield
        finally:
            self.hold()

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        if self._waiting is not None:
            self.release()
        self._waiting = number


@contextmanager
def holding_interrupts() -> Iterator[HeldInterrupts]:
    """Keep Ctrl-C and SIGTERM back until the block ends.

    Yields:
        Lets them through in a part of the block.
    """
    held = HeldInterrupts()
    held.hold()
    try:
        yield held
    finally:
        held.release()


def disk_full(error: BaseException) -> str | None:
    """Return what to say of an error if it, or what caused it, is a full disk; else None.

    Libraries that write by themselves raise errors of their own, so their words count as well.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if (isinstance(cause, OSError) and cause.errno in _FULL) or _SAYS_FULL.search(str(cause)):
            said = str(cause).strip().splitlines()[0]
            return (
                f"the disk is full ({said}): free some space and give the same command again; "
                "what is finished stays, and nothing half-written is in its place"
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _refused_by_system(error: Exception) -> str | None:
    """Return what to say where the machine refuses a file, which is nobody's fault here."""
    if not isinstance(error, OSError) or error.errno not in _REFUSALS or error.filename is None:
        return None
    return (
        f"{error.filename}: {error.strerror}: this process may not, or cannot, use it; mend its "
        f"rights, its disk or the limit, and give the same command again"
    )


def _has_no_traceback(record: logging.LogRecord) -> bool:
    return not record.exc_info


@contextmanager
def sparing_what_stays() -> Iterator[None]:
    """Leave all that there is now, imported modules above all, out of collections of garbage.

    To look at them again costs each a tenth of a second and more, and Accelerate asks for one
    after every fold. After the block they are looked at again: what refers to itself and has been
    dropped meanwhile is then collected, at the next time that Python looks. Nothing is collected
    before: with a cell in each block, that would be the most expensive collection of the cell.
    """
    gc.set_threshold(*_THRESHOLDS)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        _freeze_once.cache_clear()  # it has let go of what is imported, too


def put_off_collections() -> None:
    """Let Python hardly look for garbage until `spare_imports`: while a program imports.

    What is imported stays. Python would look through all of it whenever it has grown by a quarter,
    a dozen times until torch and MLflow are there: a sixth of the processor time of a small cell.
    """
    gc.set_threshold(_WHILE_IMPORTING)


def spare_imports() -> None:
    """Leave what is imported by now out of collections of garbage, which come as ever from here on.

    It is left out once only: what a program's body leaves behind shall be collected.
    """
    _freeze_once()
    gc.set_threshold(*_THRESHOLDS)


@functools.cache
def _freeze_once() -> None:
    """Freeze, unless it was done: to ask the collector counts a million objects one by one."""
    gc.freeze()


@contextmanager
def importing() -> Iterator[None]:
    """Put collections of garbage off for a block that imports; see `put_off_collections`."""
    put_off_collections()
    try:
        yield
    finally:
        spare_imports()


def quieten_libraries() -> None:
    """Let libraries say what goes wrong, and nothing of what goes on."""
    for noisy in _NOISY_LOGGERS:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger(_TELLS_TWICE).addFilter(_has_no_traceback)


def explained(error: Exception) -> str | None:
    """Return what to say of an error to the person at the keyboard; None of a fault of ours."""
    if isinstance(error, FullDiskError):
        return str(error)
    own = str(error) if isinstance(error, SerError) else _refused_by_system(error)
    return disk_full(error) or own


def run_main(function: Callable[[], int | None], *, has_imported: bool = True) -> int:
    """Run a program's body and say its failure in one message.

    Args:
        function: The body; what it returns is the exit status, None is 0.
        has_imported: The program has imported what it needs, which is then spared; else the body
            imports, see `importing`.

    Returns:
        0 or the body's own status; 1 after a `SerError`, its message on stderr, and where the
        disk is full or the machine refuses a file; 130 after Ctrl-C and 143 after SIGTERM.

    Raises:
        Exception: Any other is a fault of ours and keeps its traceback.

    Example:
        >>> run_main(lambda: None)
        0
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    quieten_libraries()
    if has_imported:
        spare_imports()
    try:
        with sigterm_as_interrupt():
            return function() or 0
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        sys.stderr.write(f"error: {message}\n")
        return FAILED
    except Terminated:
        sys.stderr.write("stopped by SIGTERM; the same command takes up where this one ended\n")
        return TERMINATED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command takes up where this one ended\n")
        return INTERRUPTED
