"""Ours and MLflow's server on one model: `python -m benchmarks.serving [CELL] [--into FILE]`.

A fold of a trained cell is packed as `ser register` packs it and served twice: by `ser serve`'s
application and by `mlflow models serve`, each in a process of its own. Both are asked in turn
for the emotions of the same recordings by several clients at once, and then ours alone until it
has answered `--requests`, to see whether its memory grows. Run it in a project that has trained
the cell.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from typing import IO

import psutil

from benchmarks import pages
from ser import runtime
from ser.errors import SerError
from ser.params import read
from ser.project import Project
from ser.promotion.params import AnswerParams
from ser.registry import bundle as bundles
from ser.registry import packing
from ser.registry.packing import TrainedCell
from ser.serving import mlflow_model

_MARKERS = ("<!-- servers: begin -->", "<!-- servers: end -->")
_HOST = "127.0.0.1"
_START_SECONDS = 120
_CLIENTS = 4
_WARM_UP = 200
_ROUNDS = 9
_PER_ROUND = 60
_MIB = 2**20

_OURS = """
import sys
from ser import runtime
runtime.configure()
from pathlib import Path
from ser.serving import server
model, host, port = sys.argv[1:]
server.serve(server.build(Path(model)), host=host, port=int(port), max_connections=100)
"""


def _command(model: Path, port: int, *, is_ours: bool) -> list[str]:
    if is_ours:
        return [sys.executable, "-c", _OURS, str(model), _HOST, str(port)]
    options = ["-m", str(model), "--env-manager", "local", "--host", _HOST, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "models", "serve", *options]


@contextmanager
def _serving(model: Path, *, is_ours: bool) -> Iterator[tuple[int, psutil.Process]]:
    """Serve a model in a process of its own; give its port and the process."""
    with socket.create_server((_HOST, 0)) as free:
        port = int(free.getsockname()[1])
    command = _command(model, port, is_ours=is_ours)
    # MLflow starts `uvicorn` by its name alone.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=said, env={**os.environ, "PATH": path}
        ) as server,
    ):
        process = psutil.Process(server.pid)
        try:
            _wait(port, server, said)
            yield port, process
        finally:
            _end(process)


def _end(process: psutil.Process) -> None:
    """End a server with its workers; one may have ended by itself."""
    with suppress(psutil.NoSuchProcess):
        for member in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                member.terminate()


def _wait(port: int, server: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        connection = HTTPConnection(_HOST, port, timeout=5)
        try:
            connection.request("GET", "/ping")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.2)
        else:
            return
        finally:
            connection.close()
    if server.poll() is None:
        raise SerError(f"a server did not answer on port {port} within {_START_SECONDS} s")
    said.seek(0)
    last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
    raise SerError(f"a server ended before it answered on port {port}: {last}")


def _ask(port: int, bodies: Sequence[bytes]) -> None:
    """Ask for all of them over one connection."""
    connection = HTTPConnection(_HOST, port, timeout=60)
    for body in bodies:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SerError(f"a server answered {response.status}: {answer[:200]!r}")
    connection.close()


def _rate(port: int, bodies: Sequence[bytes], number: int) -> float:
    """Return requests per second of several clients at once."""
    shares = [list(islice(cycle(bodies), k, number, _CLIENTS)) for k in range(_CLIENTS)]
    start = time.perf_counter()
    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(lambda share: _ask(port, share), shares))
    return number / (time.perf_counter() - start)


def _memory_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / _MIB


def measure(model: Path, bodies: Sequence[bytes], *, num_requests: int) -> dict[str, float]:
    """Return what the two servers do.

    Args:
        model: Folder of an MLflow model.
        bodies: Of requests.
        num_requests: That ours answers in all.

    Returns:
        `ratio` of requests per second, ours to MLflow's, the median of rounds that were
        measured in turn; `before_mib` and `after_mib`, resident memory of ours after a warm-up
        and in the end; `num_requests`.
    """
    with _serving(model, is_ours=True) as (ours, process), _serving(model, is_ours=False) as other:
        for port in (ours, other[0]):
            _rate(port, bodies, _WARM_UP)
        ratios = [
            _rate(ours, bodies, _PER_ROUND) / _rate(other[0], bodies, _PER_ROUND)
            for _ in range(_ROUNDS)
        ]
        before = _memory_mib(process)
        left = num_requests - _WARM_UP - _ROUNDS * _PER_ROUND
        _rate(ours, bodies, max(1, left))
        after = _memory_mib(process)
    return {
        "ratio": statistics.median(ratios),
        "before_mib": before,
        "after_mib": after,
        "num_requests": num_requests,
    }


def _save(cell: TrainedCell, params: AnswerParams, folder: Path) -> Path:
    """Write the first fold of a cell as an MLflow model."""
    source = packing.source_of_fold(
        cell,
        packing.choose(cell),
        params=params.serving,
        limits=params.input_limits.model_dump(mode="json"),
        is_monitored=False,
    )
    bundles.write(source, folder / "bundle")
    mlflow_model.save(
        folder / "bundle",
        bundles.read(folder / "bundle"),
        folder / "model",
        root=Path(__file__).parents[1],
    )
    return folder / "model"


def _bodies(cell: TrainedCell, number: int = 20) -> list[bytes]:
    """Return requests for recordings of the corpus."""
    folder = cell.project.raw(cell.card.name)
    paths = [folder / utterance.audio for utterance in cell.utterances[:number]]
    return [
        json.dumps({"inputs": [{"audio": b64encode(path.read_bytes()).decode()}]}).encode()
        for path in paths
    ]


def as_markdown(found: dict[str, float], cell: str) -> str:
    """Return the sentences of the page."""
    before, after = f"{found['before_mib']:.0f} MiB", f"{found['after_mib']:.0f} MiB"
    return textwrap.fill(
        f"`python -m benchmarks.serving {cell}`: asked in turn by {_CLIENTS} clients for "
        f"recordings of the corpus, `ser serve` answers {found['ratio']:.2f} times as many "
        f"requests a second as `mlflow models serve` on the same model. Its memory was {before} "
        f"after the first {_WARM_UP + _ROUNDS * _PER_ROUND} requests and {after} after "
        f"{found['num_requests']:.0f}.",
        width=100,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("cell", nargs="?", default="whisper-cross_entropy")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--into", type=Path, help="also write the sentences into this page")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    cell = TrainedCell(Project(), options.cell)
    params = read(Project().params, AnswerParams)
    with tempfile.TemporaryDirectory() as folder:
        model = _save(cell, params, Path(folder))
        found = measure(model, _bodies(cell), num_requests=options.requests)
    text = as_markdown(found, options.cell)
    print(text)
    if options.into is not None:
        pages.write_between(options.into, *_MARKERS, text)


if __name__ == "__main__":
    raise SystemExit(main())
