"""Units of work in processes of this machine, each of which does one after another.

A process imports its packages once and not once a unit, which is what it is for. One that dies
takes nothing with it but the unit that it was at.
"""

import importlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Generic, Self

from ser import runtime
from ser.contracts import Unit, UnitOutcome
from ser.errors import SerError


class LocalEngine:
    """Runs units here; see `ser.contracts.Engine`.

    In a `with` block its processes wait for the next call of `run`, with all that they have
    imported; else they end with the call.

    Args:
        num_processes: At least 1. One is the process that calls.
        imports: Modules that the processes of a `with` block import as it begins, while the
            caller goes on to what comes before the first unit. None: they start with it.
    """

    def __init__(self, num_processes: int, *, imports: Sequence[str] = ()) -> None:
        self.num_processes, self.imports = num_processes, tuple(imports)
        self._keeps = False
        self._waiting: list[_Worker[Any]] = []

    def __enter__(self) -> Self:
        self._keeps = True
        if self.imports and self.num_processes > 1:
            self._waiting = [_Worker(self.imports) for _ in range(self.num_processes)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._keeps = False
        while self._waiting:
            self._waiting.pop().end()

    def run(
        self, work: Callable[[Unit], None], units: Sequence[Unit]
    ) -> Iterator[UnitOutcome[Unit]]:
        """Yield what became of each unit as soon as it is known, in any order.

        Args:
            work: Does one unit; with several processes it and the units are pickled, so it is
                a function of a module or a `partial` of one.
            units: What is to be done.
        """
        if min(self.num_processes, len(units)) <= 1:
            yield from (UnitOutcome(unit, _try(work, unit)) for unit in units)
            return
        waiting = deque(units)
        workers: list[_Worker[Unit]] = []
        try:
            while waiting or workers:
                while waiting and len(workers) < self.num_processes:
                    workers.append(self._worker())
                    workers[-1].begin(work, waiting.popleft())
                for worker in _ready(workers):
                    yield worker.outcome()
                    if worker.is_alive and waiting:
                        worker.begin(work, waiting.popleft())
                    else:
                        workers.remove(worker)
                        self._dismiss(worker)
        finally:
            for worker in workers:
                worker.stop()

    def _worker(self) -> "_Worker[Any]":
        while self._waiting:
            worker = self._waiting.pop()
            if worker.process.is_alive():
                return worker
            worker.end()  # killed while it waited
        return _Worker()

    def _dismiss(self, worker: "_Worker[Any]") -> None:
        if self._keeps and worker.is_alive:
            self._waiting.append(worker)
        else:
            worker.end()


def sized(num_units: int, *, at_least: int, imports: Sequence[str] = ()) -> LocalEngine:
    """Return an engine of as many processes as there are processors, or fewer.

    Args:
        num_units: What is to be done.
        at_least: Units that are worth the seconds in which a process imports its packages.
        imports: See `LocalEngine`.
    """
    num_processes = max(1, min(runtime.num_processors(), num_units // at_least))
    return LocalEngine(num_processes, imports=imports)


class _Worker(Generic[Unit]):
    """A process and the unit that it is at."""

    unit: Unit

    def __init__(self, imports: Sequence[str] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, imports))
        self.process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        self.is_alive = True

    def begin(self, work: Callable[[Unit], None], unit: Unit) -> None:
        self.unit = unit
        with suppress(BrokenPipeError):  # it has died; `outcome` says so
            self.pipe.send((work, unit))

    def outcome(self) -> UnitOutcome[Unit]:
        """Return what became of the unit; wait for it if it is not known yet."""
        try:
            return UnitOutcome(self.unit, self.pipe.recv())
        except (EOFError, ConnectionResetError):
            self.is_alive = False
            self.process.join()
            return UnitOutcome(self.unit, _death(self.process.exitcode))

    def end(self) -> None:
        """Let a process without work end."""
        self.pipe.close()
        self.process.join()

    def stop(self) -> None:
        """End a process amid its work, as SIGTERM does: open runs are closed first."""
        self.process.terminate()
        self.end()


def _ready(workers: Sequence[_Worker[Unit]]) -> list[_Worker[Unit]]:
    """Return the workers of which there is news, at least one; wait for it."""
    known = connection.wait([worker.pipe for worker in workers])
    return [worker for worker in workers if worker.pipe in known]


def _serve(pipe: Connection, imports: Sequence[str]) -> None:
    """Be a worker: do what arrives, until nothing more can."""
    runtime.configure()

    def serve() -> None:
        with runtime.importing():
            for module in imports:
                importlib.import_module(module)
        while True:
            try:
                work, unit = pipe.recv()
            except EOFError:
                return
            pipe.send(_try(work, unit))

    raise SystemExit(runtime.run_main(serve, has_imported=False))


def _try(work: Callable[[Unit], None], unit: Unit) -> str | None:
    """Do a unit; return the message of a failure, or None."""
    try:
        work(unit)
    except SerError as error:
        return str(error)
    return None


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"its process was killed by signal {-exitcode}; if memory ran out, use fewer at once"
    return f"its process ended with status {exitcode}; the messages above say why"
