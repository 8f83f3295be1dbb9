"""The served model behind HTTP: MLflow's scoring server, guarded where it is not careful.

`mlflow models serve` starts the same server without the guard, see `ser.serving.request_guard`.
"""

from functools import partial
from pathlib import Path

import mlflow
import uvicorn
from fastapi import FastAPI, Request, Response
from mlflow.pyfunc import PyFuncModel, scoring_server

from ser.errors import RegistryError, translating
from ser.serving.mlflow_model import ServedModel
from ser.serving.request_guard import RequestGuard, refused
from ser.serving.request_log import RequestLog
from ser.serving.timed_protocol import TimedProtocol

_BASE64_SHARE = 4 / 3
#: Room for field names and several rows in a request, beside one recording of full size.
_ENVELOPE_BYTES = 1 << 20
#: For the largest body at 6 Mbit/s.
_BODY_SECONDS = 60.0


def build(model: Path, *, log: RequestLog | None = None) -> FastAPI:
    """Return the application that answers for a model; GET /metadata says which one it is.

    Args:
        model: Folder of the model, compared with its digest by `ser.registry.model_files.fetch`;
            its code is imported from there, so it stays while the model is served.
        log: Where each answer leaves a line; None: where `SER_SERVING_LOG` says, if anywhere.

    Raises:
        RegistryError: The model cannot be loaded, or answers are to be logged of one that this
            project did not register.
    """
    with translating(partial(_not_loaded, model)):
        loaded = mlflow.pyfunc.load_model(str(model))
    if log is not None:
        served = loaded.unwrap_python_model()
        if not isinstance(served, ServedModel):
            raise RegistryError(
                f"{model}: its answers cannot be logged: this project did not register it; start "
                f"the server without --log"
            )
        served.log = log
    return application(loaded)


def _not_loaded(model: Path, error: Exception) -> RegistryError:
    """Return what any model's own code may mean by an error."""
    first = f"{type(error).__name__}: {error}".partition("\n")[0]
    return RegistryError(f"{model}: the model cannot be loaded ({first}); register its cell anew")


def application(model: PyFuncModel) -> FastAPI:
    """Return MLflow's scoring server for a loaded model, guarded."""
    app: FastAPI = scoring_server.init(model)
    served = model.unwrap_python_model()  # type: ignore[no-untyped-call]
    if isinstance(served, ServedModel):
        identity = served.identity
        app.add_api_route("/metadata", lambda: identity, methods=["GET"])
    max_bytes = served.predictor.limits.max_bytes if isinstance(served, ServedModel) else 32 << 20
    app.add_middleware(
        RequestGuard,
        max_bytes=round(max_bytes * _BASE64_SHARE) + _ENVELOPE_BYTES,
        max_seconds=_BODY_SECONDS,
    )
    app.add_exception_handler(RecursionError, _too_deep)
    return app


def serve(app: FastAPI, *, host: str, port: int, max_connections: int) -> None:
    """Answer requests until interrupted.

    Args:
        app: See `build`.
        host: Address to listen at.
        port: On this machine.
        max_connections: At once; a request beyond them is answered with 503.
    """
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        http=TimedProtocol,
        # uvicorn counts the connection that asks.
        limit_concurrency=max_connections + 1,
    )


async def _too_deep(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return refused(400, "the JSON is nested too deeply")
