"""The served model behind HTTP: MLflow's scoring server, guarded where it is not careful.

`mlflow models serve` starts the same server without the guard, see `ser.serving.request_guard`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from mlflow.pyfunc import PyFuncModel, scoring_server

from ser import lineage
from ser.errors import RegistryError, translating
from ser.serving import api_description, audio_route, page_files
from ser.serving.answer_schema import HealthAnswer, Identity, VersionAnswer
from ser.serving.head_requests import HeadRequests
from ser.serving.host_guard import ANY, HostGuard
from ser.serving.meters import Metered, Meters
from ser.serving.mlflow_model import ServedModel
from ser.serving.page_files import SafeHeaders
from ser.serving.request_guard import RequestGuard, refused
from ser.serving.request_log import RequestLog
from ser.serving.timed_protocol import TimedProtocol

_BASE64_SHARE = 4 / 3
#: Room for field names and several rows in a request, beside one recording of full size.
_ENVELOPE_BYTES = 1 << 20
#: For the largest body at 6 Mbit/s.
_BODY_SECONDS = 60.0
#: How uvicorn speaks, with one process or several.
UVICORN: Mapping[str, Any] = {"log_level": "warning", "http": TimedProtocol}
#: Of a model that says nothing of its limits.
_OTHERS_BYTES = 32 << 20
#: These would fetch scripts from elsewhere.
_NOT_OFFLINE = ("/docs", "/docs/oauth2-redirect", "/redoc")
#: Ours say more.
_REPLACED = ("/version", "/health")


def build(
    model: Path, *, log: RequestLog | None = None, allowed_hosts: Sequence[str] = (ANY,)
) -> FastAPI:
    """Return the application that answers for a model; GET /metadata says which one it is.

    Args:
        model: Folder of the model, compared with its digest by `ser.registry.model_files.fetch`;
            its code is imported from there, so it stays while the model is served.
        log: Where each answer leaves a line; None: where `SER_SERVING_LOG` says, if anywhere.
        allowed_hosts: See `ser.serving.host_guard.allowed`.

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
    return application(loaded, allowed_hosts=allowed_hosts)


def _not_loaded(model: Path, error: Exception) -> RegistryError:
    """Return what any model's own code may mean by an error."""
    first = f"{type(error).__name__}: {error}".partition("\n")[0]
    return RegistryError(f"{model}: the model cannot be loaded ({first}); register its cell anew")


def application(model: PyFuncModel, *, allowed_hosts: Sequence[str] = (ANY,)) -> FastAPI:
    """Return MLflow's scoring server for a loaded model, guarded; with a page, if it is ours.

    Args:
        model: From MLflow.
        allowed_hosts: See `ser.serving.host_guard.allowed`.
    """
    app: FastAPI = scoring_server.init(model)
    served = model.unwrap_python_model()  # type: ignore[no-untyped-call]
    max_bytes, max_audio_bytes = _OTHERS_BYTES, None
    _drop(app, _NOT_OFFLINE)
    meters = Meters()
    if isinstance(served, ServedModel):
        max_bytes = served.predictor.limits.max_bytes
        max_audio_bytes = max_bytes + _ENVELOPE_BYTES
        _add_routes(app, served, meters)
    paths = {getattr(route, "path", "") for route in app.routes}
    app.add_middleware(
        RequestGuard,
        max_bytes=round(max_bytes * _BASE64_SHARE) + _ENVELOPE_BYTES,
        max_seconds=_BODY_SECONDS,
        max_audio_bytes=max_audio_bytes,
    )
    # The last is the outermost.
    app.add_middleware(HeadRequests)
    app.add_middleware(HostGuard, names=allowed_hosts)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Metered, meters=meters, paths=paths)
    app.add_exception_handler(RecursionError, _too_deep)
    return app


def _drop(app: FastAPI, paths: Sequence[str]) -> None:
    """Take routes of MLflow's out of an application."""
    app.router.routes[:] = [r for r in app.routes if getattr(r, "path", "") not in paths]


def _add_routes(app: FastAPI, served: ServedModel, meters: Meters) -> None:
    """Let an application say what it is, and show it."""
    identity = Identity(**served.identity)
    versions = lineage.package_versions(["ser", "mlflow"])
    version = VersionAnswer(**versions, model=identity, limits=served.predictor.limits)
    _drop(app, _REPLACED)
    served.on_answer = meters.answered
    meters.introduce(served.identity)

    def exposed() -> Response:
        content, kind = meters.exposed()
        return Response(content, headers={"content-type": kind})

    audio_route.add(app, served)
    app.add_api_route(
        "/health",
        lambda: HealthAnswer(),
        methods=["GET"],
        response_model=HealthAnswer,
        summary="Whether the server is up",
    )
    app.add_api_route(
        "/version",
        lambda: version,
        methods=["GET"],
        response_model=VersionAnswer,
        summary="What runs",
    )
    app.add_api_route(
        "/metadata",
        lambda: identity,
        methods=["GET"],
        response_model=Identity,
        summary="Which model answers",
    )
    app.add_api_route(
        "/metrics",
        exposed,
        methods=["GET"],
        response_class=PlainTextResponse,
        summary="Counts for Prometheus",
    )
    page_files.add(app)
    api_description.add(app, served)


def serve(app: FastAPI, *, host: str, port: int, max_connections: int) -> None:
    """Answer requests until interrupted.

    Args:
        app: See `build`.
        host: Address to listen at.
        port: On this machine.
        max_connections: At once; a request beyond them is answered with 503.
    """
    # uvicorn counts the connection that asks.
    uvicorn.run(app, host=host, port=port, limit_concurrency=max_connections + 1, **UVICORN)


async def _too_deep(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return refused(400, "the JSON is nested too deeply")
