"""What stands between a socket and MLflow's scoring server: whatever it does not bear ends here.

MLflow's server reads a body of any size for any time, parses CSV and Parquet (a body of 39 kB can
hold three million rows), answers 500 to JSON that Python refuses to parse, and sends traces with
the paths of the server. Behind the guard only JSON of a known form arrives, or a recording where
one is expected, whole, and what goes out with an error is one sentence.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from email.message import Message as MimeHeader
from typing import Any
from urllib.parse import urlsplit

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser.wording import shown

logger = logging.getLogger(__name__)

#: Of a request, of which exactly one is there.
FORMS = ("inputs", "instances", "dataframe_records", "dataframe_split")
#: Beside them; MLflow reads it, the model does not.
_PARAMS = "params"

_RULE = f"a request is a JSON object with one of {', '.join(FORMS)}"
_MEDIA_TYPE = "application/json"

#: Where a recording is sent as it is, or in a form.
AUDIO_PATH = "/predict"
#: Beside `audio/*`; browsers and curl know OGG, and files without a known ending, as these.
_AUDIO_TYPES = ("application/octet-stream", "application/ogg", "multipart/form-data")
#: Who a browser says has asked: this server's own page, or a person.
_OWN_SITES = ("same-origin", "none")
#: Of a request, as ASGI gives them: names are in lower case.
Headers = Sequence[tuple[bytes, bytes]]

#: Of a content type; the longest boundary of a form has 70. Python's parser of it takes time that
#: grows with the square: for what a header may hold it would stop the event loop for seconds.
_MAX_TYPE_BYTES = 256

_MAX_REASON_CHARS = 500
_FAILED = "the server failed at this request; its log says why"
_UNREADABLE = (
    "the table of recordings cannot be read; `inputs` with a list of objects is the simplest form"
)


class RefusedRequestError(Exception):
    """A request that is not passed on.

    Args:
        status: Of the answer, 4xx.
        reason: One sentence: what is wrong, and what to do.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class RequestGuard:
    """Passes on whole requests, and takes out of answers what is nobody's business.

    Args:
        app: What is guarded.
        max_bytes: Of a body.
        max_seconds: In which a body has to arrive.
        max_audio_bytes: Of a body at `AUDIO_PATH`; None: a recording is expected nowhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        max_seconds: float,
        max_audio_bytes: int | None = None,
    ) -> None:
        self.app, self.max_bytes, self.max_seconds = app, max_bytes, max_seconds
        self.max_audio_bytes = max_audio_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400, 403, 408, 413 or 415, or pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] != "POST":
            await self.app(scope, receive, _discreet(send))
            return
        try:
            body = await self._body(scope, receive)
        except RefusedRequestError as refusal:
            await refused(refusal.status, refusal.reason)(scope, receive, send)
        except ConnectionAbortedError as left:
            logger.warning("%s", left)
        else:
            await self.app(scope, _replayed(body, receive), _discreet(send))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Return a body that may be passed on."""
        require_own_site(scope["headers"])
        if self.max_audio_bytes is not None and scope["path"] == AUDIO_PATH:
            require_audio(scope["headers"])
            return await self._read(receive, self.max_audio_bytes)
        require_json(scope["headers"])
        body = await self._read(receive, self.max_bytes)
        # Beside the event loop: a body may hold millions of numbers.
        await asyncio.to_thread(require_form, body)
        return body

    async def _read(self, receive: Receive, max_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(self.max_seconds):
                return await self._received(receive, max_bytes)
        except TimeoutError:
            raise RefusedRequestError(
                408, f"the body was not here after {self.max_seconds:g} seconds; send it in parts"
            ) from None

    async def _received(self, receive: Receive, max_bytes: int) -> bytes:
        parts: list[bytes] = []
        num_bytes, is_whole = 0, False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError(f"a client left after {num_bytes} bytes of a request")
            parts.append(message.get("body", b""))
            num_bytes += len(parts[-1])
            is_whole = not message.get("more_body", False)
            if num_bytes > max_bytes:
                raise RefusedRequestError(
                    413, f"a request holds at most {max_bytes} bytes; send it in parts"
                )
        return b"".join(parts)


def require_json(headers: Headers) -> None:
    """Check the content type.

    Args:
        headers: Of a request; names are in lower case.

    Raises:
        RefusedRequestError: It is not JSON in UTF-8, or is too long.
    """
    given, header = _content_type(headers)
    charset = str(header.get_param("charset", "utf-8")).lower()
    if header.get_content_type() != _MEDIA_TYPE or charset != "utf-8":
        raise RefusedRequestError(
            415,
            f"the content type is {shown(given) if given else 'missing'}; send JSON in UTF-8 "
            f"as {_MEDIA_TYPE}",
        )


def require_audio(headers: Headers) -> None:
    """Check the content type of a recording.

    Args:
        headers: Of a request; names are in lower case.

    Raises:
        RefusedRequestError: It is none of a recording, nor of a form with one, or is too long.
    """
    given, header = _content_type(headers)
    if header.get_content_maintype() != "audio" and header.get_content_type() not in _AUDIO_TYPES:
        raise RefusedRequestError(
            415,
            f"the content type is {shown(given) if given else 'missing'}; send the bytes of a "
            f"recording as audio/wav, audio/flac, audio/ogg or audio/mpeg, or a form as "
            f"multipart/form-data",
        )


def require_own_site(headers: Headers) -> None:
    """Refuse what a browser sends for a page of another site, which could ask in secret.

    Browsers say so in `Sec-Fetch-Site`; older ones, and all of them to a server without https on
    another machine, in `Origin` alone, which is then compared with `Host`. Programs send neither.

    Args:
        headers: Of a request.

    Raises:
        RefusedRequestError: A page of another site asks.
    """
    site, origin = single(headers, b"sec-fetch-site"), single(headers, b"origin")
    is_own = site in _OWN_SITES if site is not None else _is_own_origin(origin, headers)
    if not is_own:
        raise RefusedRequestError(
            403,
            "a page of another site may not ask; open the page of this server, or ask by a program",
        )


def _is_own_origin(origin: str | None, headers: Headers) -> bool:
    """Whether a page is this server's; a proxy may speak https for it, so the scheme is free."""
    if origin is None:
        return True
    try:
        page, ports = urlsplit(origin), {"http": 80, "https": 443}
        own = urlsplit(f"//{single(headers, b'host')}")
        default = ports[page.scheme]
        return (page.hostname, page.port or default) == (own.hostname, own.port or default)
    except (KeyError, ValueError):  # `null`, another scheme, no port
        return False


def single(headers: Headers, name: bytes) -> str | None:
    """Return the value of a header; None where it is not there, or contradicts itself.

    Args:
        headers: Of a request.
        name: In lower case.
    """
    values = {value.decode("latin-1").strip() for key, value in headers if key == name}
    return values.pop() if len(values) == 1 else None


def _content_type(headers: Headers) -> tuple[str, MimeHeader]:
    given = dict(headers).get(b"content-type", b"").decode("latin-1")
    if len(given) > _MAX_TYPE_BYTES:
        raise RefusedRequestError(
            415, f"the content type has {len(given)} bytes; at most {_MAX_TYPE_BYTES} are read"
        )
    header = MimeHeader()
    header["content-type"] = given
    return given, header


def require_form(body: bytes) -> None:
    """Check that a body is JSON of a form that MLflow reads.

    Raises:
        RefusedRequestError: It is not.
    """
    try:
        content = json.loads(body)
    except RecursionError:
        raise RefusedRequestError(400, "the JSON is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise RefusedRequestError(
            400, f"the body is no UTF-8: byte {error.start} is {error.reason}"
        ) from None
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise RefusedRequestError(400, f"the body is no JSON: {reason}") from None
    except ValueError:  # more digits than Python turns into a number
        raise RefusedRequestError(400, "the JSON holds an integer with too many digits") from None
    if not isinstance(content, dict):
        raise RefusedRequestError(400, f"{_RULE}, got {shown(content)}")
    _require_keys(content)


def _require_keys(content: Mapping[str, Any]) -> None:
    forms = [name for name in FORMS if name in content]
    unknown = [name for name in content if name not in (*FORMS, _PARAMS)]
    if len(forms) != 1:
        raise RefusedRequestError(400, f"{_RULE}, got {' and '.join(forms) or 'none of them'}")
    if unknown:
        raise RefusedRequestError(400, f"unknown field {shown(unknown[0])}; {_RULE}")


def refused(status: int, reason: str) -> Response:
    """Return an answer of the form of MLflow's errors."""
    content = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": reason})
    # The rest of a body that was not read whole cannot be told from the next request.
    headers = {"connection": "close"} if status in (408, 413) else None
    return Response(content, status_code=status, media_type=_MEDIA_TYPE, headers=headers)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that has been read, and after it what else arrives."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _discreet(send: Send) -> Send:
    """Return what sends answers, with one sentence of ours in place of a foreign error."""
    failed: list[Message] = []
    parts: list[bytes] = []

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            failed.append(message)
        elif not failed:
            await send(message)
        else:
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                for ours in _said(failed[0], b"".join(parts)):
                    await send(ours)

    return send_on


def _said(start: Message, body: bytes) -> tuple[Message, Message]:
    """Return an answer without a trace, an echo of the request or a path of the server."""
    status = int(start["status"])
    if status >= 500:
        answer = _FAILED
    elif status in (404, 405):
        answer = (
            f"POST /invocations and POST {AUDIO_PATH} answer requests, GET /ping says whether the "
            f"server is up, GET /docs describes them"
        )
    else:
        answer = _own_reason(body) or _UNREADABLE
    content = refused(status, answer)
    return (
        {"type": "http.response.start", "status": status, "headers": content.raw_headers},
        {"type": "http.response.body", "body": content.body},
    )


def _own_reason(body: bytes) -> str | None:
    """Return the reason in an answer, if it is a sentence and nothing else is there."""
    try:
        content = json.loads(body)
    except ValueError:
        return None
    if not isinstance(content, dict) or set(content) != {"error_code", "message"}:
        return None
    reason = str(content["message"])
    # MLflow's own may echo the request, or bring a trace in several lines.
    is_sentence = len(reason) <= _MAX_REASON_CHARS and reason.isprintable()
    return reason if is_sentence else None
