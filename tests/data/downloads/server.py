"""A web server on the loopback address that behaves as it is told, and counts what it serves."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ETAG = '"first"'
PIECE = 1000


@dataclass
class Asked:
    """One request: where it wanted to begin (0: no range), what it made that depend on."""

    begin: int
    if_range: str | None
    num_served: int = 0


@dataclass
class Server:
    """What is served and how: the next behaviour of `script`, and `whole` when it is used up."""

    content: bytes = b""
    etag: str | None = ETAG
    script: deque[Callable] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/archive.zip"

    def begin(self):
        """Serve until the test ends; return what stops it."""

        class Handler(_Handler):
            server_of = self

        httpd = _Quiet(("127.0.0.1", 0), Handler)
        self.port = httpd.server_address[1]
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()

        def stop():
            httpd.shutdown()
            thread.join()
            httpd.server_close()

        return stop


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Say nothing: clients of these tests go away in the middle."""


class _Handler(BaseHTTPRequestHandler):
    server_of: Server

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        server = self.server_of
        wanted = self.headers.get("Range", "bytes=0-")
        begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        server.asked.append(Asked(begin, self.headers.get("If-Range")))
        behaviour = server.script.popleft() if server.script else whole()
        behaviour(self, server, server.asked[-1])

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


def whole(*, ranges=True, stop_at=None, pause_s=0.0, etag=True, length=True, offset=0):
    """Serve the file, or from where it is asked to go on if that is the same file.

    Args:
        ranges: Whether the server knows ranges.
        stop_at: Close the connection at this byte of the file.
        pause_s: Wait so long before each piece, in seconds.
        etag: Whether to say which version it is.
        length: Whether to say how long it is.
        offset: Begin so many bytes beside what is asked for.
    """

    def serve(handler, server, asked):
        is_same = asked.if_range in (None, server.etag)
        begin = asked.begin if ranges and is_same else 0
        total = len(server.content)
        known = {"ETag": server.etag if etag else None}
        if begin >= total > 0:
            handler.head(416, Content_Range=f"bytes */{total}")
            return
        if begin:
            told = f"bytes {begin + offset}-{total - 1}/{total}"
            handler.head(206, Content_Range=told, Content_Length=total - begin, **known)
        else:
            handler.head(200, Content_Length=total if length else None, **known)
        for start in range(begin, total if stop_at is None else stop_at, PIECE):
            time.sleep(pause_s)
            piece = server.content[start : min(start + PIECE, stop_at or total)]
            asked.num_served += len(piece)
            handler.wfile.write(piece)

    return serve


def answer(status, body=b"", **headers):
    """Serve a status and a body, whatever was asked for."""

    def serve(handler, server, asked):
        handler.head(status, Content_Length=len(body), **headers)
        handler.wfile.write(body)
        asked.num_served += len(body)

    return serve


def page():
    """Serve what a proxy or a login page would."""
    return answer(200, b"<!DOCTYPE html><title>Sign in</title>", Content_Type="text/html")


def redirect(url):
    """Send the client elsewhere."""
    return answer(302, Location=url)
