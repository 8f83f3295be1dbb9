"""What a program takes: time, memory of its processes, memory of the GPU.

`python -m benchmarks.metering REPORT MODULE [WORD ...]` runs the `main` of a module and writes what
it took into REPORT; `run` starts that and reads it, so that each program is measured in a process
of its own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from ser import runtime
from ser.errors import SerError

ROOT = Path(__file__).parents[1]

_PROC = Path("/proc")
_INTERVAL_S = 0.02
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds at a moment, in bytes.

    Args:
        resident: In memory, pages of mapped files included.
        anonymous: Of this, what no file backs. Pages of a memory-mapped store are left out: the
            system takes them back at will.
    """

    resident: int = 0
    anonymous: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a program took.

    Args:
        wall_s: From its first import to its end, in seconds.
        cpu_s: Of its processes, on all processors together, in seconds.
        resident: Most bytes that its processes held together, pages of mapped files included.
        anonymous: The same without these.
        gpu_used: Most bytes that its tensors had on the GPU; 0 where it used none.
        gpu_taken: Most bytes that torch had taken of the GPU for them.
    """

    wall_s: float
    cpu_s: float
    resident: int
    anonymous: int
    gpu_used: int = 0
    gpu_taken: int = 0


def is_measurable() -> bool:
    """Return whether this system says what a process holds: Linux does."""
    status = _status("self")
    return status.is_file() and "RssAnon" in status.read_text(encoding="ascii")


def held(process: int | str = "self") -> Held:
    """Return what a process holds now.

    Raises:
        RuntimeError: The system does not say it.
        OSError: There is no such process any more.
    """
    known = _fields(process)
    if "RssAnon" not in known and process == "self":
        raise RuntimeError(f"{_status(process)} has no line RssAnon")
    return Held(known.get("VmRSS", 0), known.get("RssAnon", 0))  # a zombie has neither


def _fields(process: int | str) -> dict[str, int]:
    """Return what the system says of the memory of a process, in bytes."""
    lines = _status(process).read_text(encoding="utf-8", errors="replace").splitlines()
    split = (line.partition(":") for line in lines)
    return {name: int(value.split()[0]) * _KIB for name, _, value in split if value.endswith("kB")}


def run(module: str, words: Sequence[str], folder: Path) -> Taken:
    """Run a program in a process of its own and return what it took.

    Args:
        module: Its module, which has a `main`.
        words: Its command line.
        folder: Its working directory; what lies there is imported before this checkout.

    Raises:
        SerError: It failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "taken.json"
        command = [sys.executable, "-m", "benchmarks.metering", str(report), module, *words]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        finished = subprocess.run(
            command, cwd=folder, check=False, env={**os.environ, "PYTHONPATH": path}
        )
        if finished.returncode:
            raise SerError(f"{' '.join([module, *words])}: ended with {finished.returncode}")
        return Taken(**json.loads(report.read_text("utf-8")))


class _Watch:
    """The most that this process and its children held together, looked at again and again."""

    def __init__(self) -> None:
        self.resident = self.anonymous = 0
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_done.set()
        self._thread.join()
        self._look()

    def _look_again(self) -> None:
        while not self._is_done.wait(_INTERVAL_S):
            self._look()

    def _look(self) -> None:
        found = [held()]
        for child in psutil.Process().children(recursive=True):
            try:
                found.append(held(child.pid))
            except OSError:
                continue  # it has ended meanwhile
        self.resident = max(self.resident, sum(one.resident for one in found))
        self.anonymous = max(self.anonymous, sum(one.anonymous for one in found))


def _status(process: int | str) -> Path:
    return _PROC / str(process) / "status"


def _metered(module: str, words: Sequence[str]) -> tuple[int, Taken]:
    import importlib

    start, watch = time.perf_counter(), _Watch()
    status = importlib.import_module(module).main(list(words)) or 0
    wall_s = time.perf_counter() - start
    watch.stop()
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    # What was looked at now and then may have missed a short peak; the system has not. (What
    # getrusage says of it begins with the memory of whoever started this process.)
    resident = max(watch.resident, _fields("self")["VmHWM"])
    cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return status, Taken(wall_s, cpu_s, resident, watch.anonymous, *_gpu())


def _gpu() -> tuple[int, int]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return 0, 0
    return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def main(argv: Sequence[str]) -> int:
    """Run a program in this process and write what it took; return its exit status."""
    report, module, *words = argv
    status, taken = _metered(module, words)
    Path(report).write_text(json.dumps(asdict(taken)), encoding="utf-8")
    return status


if __name__ == "__main__":
    runtime.configure()
    raise SystemExit(main(sys.argv[1:]))
