"""The served model behind HTTP: MLflow's scoring server, guarded where it is not careful.

`mlflow models serve` starts the same server without the guard: it reads a body of any size
into memory, and answers 500 to a request without a content type and to JSON nested so deeply
that Python gives up. Here these are 413, 415 and 400.
"""

import json
import tempfile
from pathlib import Path

import mlflow
import uvicorn
from fastapi import FastAPI, Request, Response
from mlflow.pyfunc import scoring_server
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser.errors import RegistryError
from ser.registry import model_files
from ser.serving.mlflow_model import ServedModel
from ser.serving.request_log import RequestLog

_BASE64_SHARE = 4 / 3
#: Room for field names and several rows in a request, beside one recording of full size.
_ENVELOPE_BYTES = 1 << 20


class BodyGuard:
    """Refuses bodies that are too large, before they are read into memory.

    Args:
        app: What is guarded.
        max_bytes: Of a body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 or 415, or pass the request on."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not headers.get(b"content-type", b"").strip():
            reason = "a request needs a content type; send JSON as application/json"
            await _refusal(415, reason)(scope, receive, send)
            return
        received = 0
        messages: list[Message] = []
        while True:
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                reason = f"a request holds at most {self.max_bytes} bytes; send it in parts"
                await _refusal(413, reason)(scope, receive, send)
                return
            messages.append(message)
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
        waiting = iter(messages)

        async def replay() -> Message:
            return next(waiting, {"type": "http.disconnect"})

        await self.app(scope, replay, send)


def build(
    model_uri: str, *, tracking_uri: str, folder: Path, log: RequestLog | None = None
) -> FastAPI:
    """Return the application that answers for a model.

    Args:
        model_uri: `models:/<name>@<alias>` or `models:/<name>/<version>`.
        tracking_uri: The store with the registry.
        folder: Where the model is kept while it is served; its code is imported from there.
        log: Where each answer leaves a line; None: where `SER_SERVING_LOG` says, if anywhere.

    Raises:
        RegistryError: The model's files are not those that were registered, or answers are to
            be logged of a model that this project did not register.
    """
    model = mlflow.pyfunc.load_model(str(model_files.fetch(model_uri, tracking_uri, folder)))
    app: FastAPI = scoring_server.init(model)
    served = model.unwrap_python_model()
    if log is not None:
        if not isinstance(served, ServedModel):
            raise RegistryError(
                f"{model_uri}: its answers cannot be logged: this project did not register it; "
                f"start the server without --log"
            )
        served.log = log
    max_bytes = served.predictor.limits.max_bytes if isinstance(served, ServedModel) else 32 << 20
    app.add_middleware(BodyGuard, max_bytes=round(max_bytes * _BASE64_SHARE) + _ENVELOPE_BYTES)
    app.add_exception_handler(RecursionError, _too_deep)
    return app


def serve(
    model_uri: str, *, tracking_uri: str, host: str, port: int, log: RequestLog | None = None
) -> None:
    """Answer requests until interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        app = build(model_uri, tracking_uri=tracking_uri, folder=Path(folder), log=log)
        uvicorn.run(app, host=host, port=port, log_level="warning")


async def _too_deep(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _refusal(400, "the JSON is nested too deeply")


def _refusal(status: int, reason: str) -> Response:
    content = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": reason})
    return Response(content, status_code=status, media_type="application/json")
