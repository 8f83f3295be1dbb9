"""Several processes that answer at one port, each with the model whose digest was compared."""

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from ser import runtime
from ser.errors import RegistryError, SerError
from ser.registry import model_files
from ser.serving import server
from ser.serving.meters import SHARED_FOLDER
from ser.serving.request_log import RequestLog

#: What the parent tells its workers, as JSON.
SETTINGS = "SER_SERVING_WORKER"

_FACTORY = "ser.serving.workers:application"
#: uvicorn kills a worker that is silent for so long; imports on a busy machine take their time.
_SILENT_SECONDS = 60


def serve(
    model: Path,
    *,
    log: Path | None,
    allowed_hosts: Sequence[str],
    host: str,
    port: int,
    max_connections: int,
    num_workers: int,
) -> None:
    """Answer requests until interrupted; a worker that dies is replaced.

    Args:
        model: See `ser.serving.server.build`.
        log: Where each answer leaves a line; all workers append to it.
        allowed_hosts: See `ser.serving.host_guard.allowed`.
        host: Address to listen at.
        port: On this machine; all workers share it.
        max_connections: At once, of all workers together.
        num_workers: Processes; each holds the model in its memory.

    Raises:
        RegistryError: A worker could not begin to answer; it has said why.
    """
    sha256 = model_files.digest(model_files.listing(model))
    settings = {
        "model": str(model),
        "sha256": sha256,
        "log": None if log is None else str(log),
        "allowed_hosts": list(allowed_hosts),
    }
    threads = max(1, runtime.num_processors() // num_workers)
    with tempfile.TemporaryDirectory() as counts:
        environment = {
            SETTINGS: json.dumps(settings),
            SHARED_FOLDER: counts,
            # Else every worker computes with as many threads as there are processors.
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
        }
        with _environment(environment):
            # uvicorn counts the connection that asks.
            limit = math.ceil(max_connections / num_workers) + 1
            config = uvicorn.Config(
                _FACTORY,
                factory=True,
                workers=num_workers,
                host=host,
                port=port,
                timeout_worker_healthcheck=_SILENT_SECONDS,
                limit_concurrency=limit,
                **server.UVICORN,
            )
            workers = Multiprocess(config, sockets=[config.bind_socket()])
            workers.run()
    if any(process.exitcode == STARTUP_FAILURE for process in workers.processes):
        raise RegistryError("a worker could not begin to answer; its message stands above")


def application() -> FastAPI:
    """Return what a worker answers with; uvicorn calls it in each.

    Raises:
        SystemExit: The model cannot be served; with uvicorn's status for it, so that the worker
            is not started again.
    """
    runtime.configure()
    # What Python compiles beside the model's code would make its digest another.
    sys.dont_write_bytecode = True
    settings = json.loads(os.environ[SETTINGS])
    model, log = Path(settings["model"]), settings["log"]
    try:
        require_digest(model, settings["sha256"])
        return server.build(
            model,
            log=None if log is None else RequestLog(Path(log)),
            allowed_hosts=settings["allowed_hosts"],
        )
    except SerError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(STARTUP_FAILURE) from error


def require_digest(model: Path, sha256: str) -> None:
    """Refuse a model that was changed after it was fetched.

    Args:
        model: Its folder.
        sha256: See `ser.registry.model_files.digest`.

    Raises:
        RegistryError: It has another digest.
    """
    found = model_files.digest(model_files.listing(model))
    if found != sha256:
        raise RegistryError(
            f"{model}: its files were changed after they were compared with the registry: digest "
            f"{found}, expected {sha256}; nothing of it was loaded. Start the server again, and "
            f"find out who can write there"
        )


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
