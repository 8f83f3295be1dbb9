"""The page that a server shows: a few files of its own, and what a browser may do with them."""

from pathlib import Path

from fastapi import FastAPI, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What the page is made of.
FOLDER = Path(__file__).with_name("page")

_START = "index.html"
#: A closed list: no name in a request is ever looked for on the disk.
_TYPES = {
    "page.css": "text/css",
    "app.js": "text/javascript",
    "chart.js": "text/javascript",
    "microphone.js": "text/javascript",
    "recorder.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
#: Of every answer. What the page plays back is made in the browser: a `blob:`.
HEADERS = {
    "content-security-policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def add(app: FastAPI) -> None:
    """Let an application show the page at `/`, and its files below `/page/`."""
    _add(app, "/", FOLDER / _START, "text/html")
    for name, kind in _TYPES.items():
        _add(app, f"/page/{name}", FOLDER / name, kind)


def _add(app: FastAPI, place: str, file: Path, kind: str) -> None:
    content = file.read_bytes()
    # Asked for anew each time, since another version may be served here tomorrow.
    headers = {"cache-control": "no-cache"}
    app.add_api_route(
        place,
        lambda: Response(content, media_type=kind, headers=headers),
        methods=["GET"],
        include_in_schema=False,
    )


class SafeHeaders:
    """Adds `HEADERS` to every answer.

    Args:
        app: Whose answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_on)
