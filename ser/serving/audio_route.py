"""`POST /predict`: a recording as it is, or in a form, and what is heard in it.

With `format` in the address the answer is that of a long recording: its segments.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.message import Message as MimeHeader
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import QueryParams

from ser.errors import AudioInputError, SerError
from ser.serving import audio_input, form, segment_formats
from ser.serving.answer_schema import RecordingAnswer, RefusalAnswer
from ser.serving.mlflow_model import ServedModel
from ser.serving.prediction import Prediction
from ser.serving.request_guard import AUDIO_PATH, refused
from ser.serving.segment_formats import FORMATS, MEDIA_TYPES, Described
from ser.wording import shown

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
_FORMAT, _NAME = "format", "name"
_NO_NAME = "recording"
_MAX_NAME_CHARS = 255
_PARAMETERS = [
    {
        "name": _FORMAT,
        "in": "query",
        "description": "Divide the recording into segments, and answer so. `json` brings the other "
        "formats along, as `files`.",
        "schema": {"type": "string", "enum": list(FORMATS)},
    },
    {
        "name": _NAME,
        "in": "query",
        "description": f"Of the recording, where a format says it; else `{_NO_NAME}`.",
        "schema": {"type": "string", "maxLength": _MAX_NAME_CHARS},
    },
]
_TEXTS = {kind: {"schema": {"type": "string"}} for kind in sorted(set(MEDIA_TYPES.values()))}
#: Status -> what it means, for the OpenAPI page.
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": RefusalAnswer, "description": "The recording or the form cannot be used."},
    403: {"model": RefusalAnswer, "description": "A page of another site asked."},
    408: {"model": RefusalAnswer, "description": "The body did not arrive in time."},
    413: {"model": RefusalAnswer, "description": "The body is too large."},
    415: {"model": RefusalAnswer, "description": "The content type is none of those above."},
    503: {"description": "Too many clients at once; come back."},
}


@dataclass(frozen=True, slots=True)
class Wish:
    """How a recording shall be answered.

    Args:
        format: Of `FORMATS`, in which its segments are written; None: without segments.
        name: Of the recording.
    """

    format: str | None
    name: str


def add(app: FastAPI, served: ServedModel) -> None:
    """Let an application answer at `AUDIO_PATH`.

    Args:
        app: Behind `ser.serving.request_guard`, which limits size, time and content type.
        served: Who answers.
    """

    async def predict(request: Request) -> Any:
        """Say which emotion is heard in a recording: WAV, FLAC, OGG or MP3."""
        try:
            wish = wish_in(request.query_params)
            content = await recording_in(request)
            # Beside the event loop, as MLflow's server does it.
            return await asyncio.to_thread(answer, served, content, wish)
        except SerError as error:
            return refused(400, str(error))

    app.add_api_route(
        AUDIO_PATH,
        predict,
        methods=["POST"],
        response_model=RecordingAnswer,
        response_model_exclude_unset=True,
        responses={200: {"content": _TEXTS}, **REFUSALS},
        openapi_extra={"requestBody": _BODY, "parameters": _PARAMETERS},
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


def wish_in(query: QueryParams) -> Wish:
    """Return what an address asks for.

    Raises:
        AudioInputError: It has a parameter that nobody reads, one twice, no such format, or a name
            that is none.
    """
    given = dict(query)
    if unknown := sorted(set(given) - {_FORMAT, _NAME}):
        raise AudioInputError(
            f"unknown parameter {shown(unknown[0])}; there are {_FORMAT} and {_NAME}"
        )
    if len(query.multi_items()) > len(given):
        raise AudioInputError(f"{_FORMAT} and {_NAME} are given once; ask again for another format")
    if _FORMAT in given and given[_FORMAT] not in FORMATS:
        raise AudioInputError(f"{_FORMAT} {shown(given[_FORMAT])}: there are {', '.join(FORMATS)}")
    name = given.get(_NAME, _NO_NAME)
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME_CHARS:
        raise AudioInputError(
            f"{_NAME} is 1 to {_MAX_NAME_CHARS} characters that can be printed, got {shown(name)}"
        )
    return Wish(given.get(_FORMAT), name)


def answer(served: ServedModel, content: bytes, wish: Wish) -> Mapping[str, Any] | Response:
    """Return what is heard in the bytes of a recording: a `RecordingAnswer`, or a text.

    Raises:
        AudioInputError: They cannot be used.
    """
    waveform = audio_input.from_bytes(content, served.predictor.limits)
    if wish.format is None:
        (prediction,) = served.answer([waveform])
        return _as_json(served, prediction)
    heard = served.follow(waveform)
    who = served.identity
    found = Described(
        wish.name,
        who["name"] or who["cell"],
        who,
        heard.prediction,
        heard.segmentation.segments,
    )
    if wish.format != "json":
        text = segment_formats.written([found], wish.format)
        return Response(text, media_type=MEDIA_TYPES[wish.format])
    others = [name for name in FORMATS if name != "json"]
    return {
        **_as_json(served, heard.prediction),
        "segments": [asdict(one) for one in found.segments],
        "files": {name: segment_formats.written([found], name) for name in others},
    }


def _as_json(served: ServedModel, prediction: Prediction) -> dict[str, Any]:
    bundle = served.predictor.bundle
    return {
        **prediction.to_json(),
        "answered_by": served.identity,
        "run_key": bundle.training.run_key,
        "synthetic": bundle.is_synthetic,
    }
