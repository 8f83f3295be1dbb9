"""`POST /predict`: a recording as it is, or in a form, and what is heard in it."""

import asyncio
from email.message import Message as MimeHeader
from typing import Any

from fastapi import FastAPI, Request

from ser.errors import SerError
from ser.serving import audio_input, form
from ser.serving.answer_schema import RecordingAnswer, RefusalAnswer
from ser.serving.mlflow_model import ServedModel
from ser.serving.request_guard import AUDIO_PATH, refused

_RECORDING = {"type": "string", "format": "binary", "description": "Bytes of a recording."}
_BODY = {
    "required": True,
    "content": {
        "audio/*": {"schema": _RECORDING},
        "application/octet-stream": {"schema": _RECORDING},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {form.FIELD: _RECORDING},
                "required": [form.FIELD],
                "additionalProperties": False,
            }
        },
    },
}
#: Status -> what it means, for the OpenAPI page.
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": RefusalAnswer, "description": "The recording or the form cannot be used."},
    403: {"model": RefusalAnswer, "description": "A page of another site asked."},
    408: {"model": RefusalAnswer, "description": "The body did not arrive in time."},
    413: {"model": RefusalAnswer, "description": "The body is too large."},
    415: {"model": RefusalAnswer, "description": "The content type is none of those above."},
    503: {"description": "Too many clients at once; come back."},
}


def add(app: FastAPI, served: ServedModel) -> None:
    """Let an application answer at `AUDIO_PATH`.

    Args:
        app: Behind `ser.serving.request_guard`, which limits size, time and content type.
        served: Who answers.
    """

    async def predict(request: Request) -> Any:
        """Say which emotion is heard in a recording: WAV, FLAC, OGG or MP3."""
        try:
            content = await recording_in(request)
            # Beside the event loop, as MLflow's server does it.
            return await asyncio.to_thread(answer, served, content)
        except SerError as error:
            return refused(400, str(error))

    app.add_api_route(
        AUDIO_PATH,
        predict,
        methods=["POST"],
        response_model=RecordingAnswer,
        responses=REFUSALS,
        openapi_extra={"requestBody": _BODY},
        summary="Answer for one recording",
    )


async def recording_in(request: Request) -> bytes:
    """Return the bytes of the recording in a request.

    Raises:
        AudioInputError: A form is not as it should be.
    """
    content, given = await request.body(), request.headers.get("content-type", "")
    header = MimeHeader()
    header["content-type"] = given
    if header.get_content_type() != "multipart/form-data":
        return content
    return await asyncio.to_thread(form.file_in, content, given)


def answer(served: ServedModel, content: bytes) -> dict[str, Any]:
    """Return what is heard in the bytes of a recording, see `RecordingAnswer`.

    Raises:
        AudioInputError: They cannot be used.
    """
    waveform = audio_input.from_bytes(content, served.predictor.limits)
    (prediction,) = served.answer([waveform])
    bundle = served.predictor.bundle
    return {
        **prediction.to_json(),
        "answered_by": served.identity,
        "run_key": bundle.training.run_key,
        "synthetic": bundle.is_synthetic,
    }
