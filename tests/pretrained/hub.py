"""A small Hub on the loopback address: as much of its interface as a download uses.

Files that git keeps are sent at once. For weights the client is led to a store of another
origin, which knows them by digest and sends any range, as the real one does.
"""

import hashlib
import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
from huggingface_hub import constants

LARGE = (".safetensors", ".bin")
_TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/([^/?]+)")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)")
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class Hub:
    """What it holds, how it misbehaves, and what it was asked for.

    Args:
        files: (id, revision) -> name -> content.
        gated: Ids whose files need a token, though their lists do not.
        status: Answer everything with this status, if set.
        cuts: Name -> numbers of bytes after which the next transfers of it break off.
        endpoint, store: Where it answers.
        sent: Name and first byte of every transfer that was begun.
    """

    files: dict = field(default_factory=dict)
    gated: set = field(default_factory=set)
    status: int | None = None
    cuts: dict = field(default_factory=dict)
    endpoint: str = ""
    store: str = ""
    sent: list = field(default_factory=list)

    def put(self, checkpoint, revision, folder, names=None):
        """Publish files of a folder."""
        self.files[checkpoint, revision] = {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if names is None or path.name in names
        }


def connect(endpoint, cache, monkeypatch):
    """Let the Hugging Face client take an address for the Hub, and a folder for its cache.

    It waits for nothing, has no token, reads 1000 bytes at a time, and fails the test if it
    speaks to another machine.
    """
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no-token"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    for name in ("HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    reach = socket.socket.connect

    def guarded(self, address, *rest):
        assert address[0] == "127.0.0.1", f"the network was asked: {address}"
        return reach(self, address, *rest)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    huggingface_hub.close_session()  # the next one sees all this


@contextmanager
def serve():
    """Give a hub that answers at `hub.endpoint` until the block is left."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    with _listening(Handler) as hub.endpoint, _listening(Handler) as hub.store:
        yield hub


@contextmanager
def _listening(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        hub = self.hub
        if hub.status is not None:
            self._refuse(hub.status)
        elif found := _TREE.match(self.path):
            self._list(*found.groups())
        elif self.path.startswith("/store/"):
            self._send_stored(self.path.removeprefix("/store/"))
        elif found := _FILE.match(self.path):
            self._resolve(*found.groups())
        else:
            self._refuse(404)

    def _list(self, checkpoint, revision):
        known = {id_ for id_, _ in self.hub.files}
        if checkpoint not in known:
            # As the Hub does for strangers, who are not told what is private.
            self._refuse(401, message="Invalid username or password.")
        elif (checkpoint, revision) not in self.hub.files:
            self._refuse(404, code="RevisionNotFound", message=f"Invalid rev id: {revision}")
        else:
            files = self.hub.files[checkpoint, revision]
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": _sha1(content)}
                for name, content in files.items()
            ]
            self._reply(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _resolve(self, checkpoint, revision, name):
        content = self.hub.files.get((checkpoint, revision), {}).get(name)
        headers = {"X-Repo-Commit": revision}
        if checkpoint in self.hub.gated and "Authorization" not in self.headers:
            self._refuse(401, code="GatedRepo", message="Access to model is restricted.")
        elif content is None:
            self._refuse(404, code="EntryNotFound", headers=headers)
        elif name.endswith(LARGE):
            sha256 = hashlib.sha256(content).hexdigest()
            headers |= {
                "X-Linked-Size": str(len(content)),
                "X-Linked-Etag": f'"{sha256}"',
                "Location": f"{self.hub.store}/store/{sha256}",
            }
            self._reply(302, b"", headers)
        else:
            headers["ETag"] = f'"{_sha1(content)}"'
            if self.command == "GET":
                self.hub.sent.append((name, 0))
            self._reply(200, content, headers)

    def _send_stored(self, sha256):
        name, content = next(
            (name, content)
            for files in self.hub.files.values()
            for name, content in files.items()
            if hashlib.sha256(content).hexdigest() == sha256
        )
        asked = _RANGE.match(self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if self.command == "GET":
            self.hub.sent.append((name, start))
        cuts = self.hub.cuts.get(name)
        until = cuts.pop(0) if cuts and self.command == "GET" else None
        self._reply(206 if asked else 200, content[start:], headers, until=until)

    def _refuse(self, status, *, code=None, message="", headers=None):
        said = dict(headers or {})
        if code:
            said["X-Error-Code"] = code
        if message:
            said["X-Error-Message"] = message
        self._reply(status, b"", said)

    def _reply(self, status, body, headers, *, until=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[:until])
        if until is not None:
            self.wfile.flush()
            self.close_connection = True


def _sha1(content):
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
