import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ser.cli import browser


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_browser_waits_for_the_server(monkeypatch, port):
    seen = []
    monkeypatch.setattr("webbrowser.open", lambda address: seen.append(address) or True)
    base = f"http://127.0.0.1:{port}"
    assert not browser.main(base, f"{base}/#/x", patience_s=0.3)
    assert not seen
    server = HTTPServer(("127.0.0.1", port), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    assert browser.main(base, f"{base}/#/x", patience_s=10.0)
    server.shutdown()
    server.server_close()
    thread.join()
    assert seen == [f"{base}/#/x"]
