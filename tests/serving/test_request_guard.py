import json
import logging
import socket
import time

import pytest
from fastapi import FastAPI, Request, Response
from starlette.testclient import TestClient

from ser.serving.request_guard import RequestGuard
from ser.serving.timed_protocol import TimedProtocol
from tests.serving.listening import on_a_port

JSON = {"content-type": "application/json"}
GOOD = b'{"inputs": []}'


def guarded(max_bytes=1000, max_seconds=5.0):
    """An application that answers as the body says, behind the guard."""
    app = FastAPI()
    app.seen = []

    @app.post("/invocations")
    async def invocations(request: Request):
        body = await request.body()
        app.seen.append(body)
        (content,) = json.loads(body)["inputs"] or [{"status": 200, "body": "answered"}]
        if "fault" in content:
            raise RuntimeError(content["fault"])
        return Response(content["body"], status_code=content["status"])

    app.add_middleware(
        RequestGuard, max_bytes=max_bytes, max_seconds=max_seconds, max_audio_bytes=max_bytes
    )
    return app


@pytest.fixture
def app():
    return guarded()


@pytest.fixture
def client(app):
    return TestClient(app, raise_server_exceptions=False)


def test_a_whole_request_in_json_is_passed_on_as_it_is(app, client):
    response = client.post("/invocations", content=GOOD, headers=JSON)
    assert (response.status_code, response.text) == (200, "answered")
    assert app.seen == [GOOD]


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.apache.parquet",
        "text/csv",
        "text/plain; application/json",
        "application/json; charset=latin-1",
        "",
        ";",
        "\x00",
    ],
)
def test_no_other_kind_of_body_is_read(app, client, kind):
    response = client.post("/invocations", content=b"PAR1", headers={"content-type": kind})
    assert response.status_code == 415
    assert "application/json" in response.json()["message"]
    assert app.seen == []


@pytest.mark.parametrize("kind", ["APPLICATION/JSON", 'application/json; charset="UTF-8"'])
def test_a_content_type_is_read_as_http_says(client, kind):
    response = client.post("/invocations", content=GOOD, headers={"content-type": kind})
    assert response.status_code == 200


@pytest.mark.parametrize("place", ["/invocations", "/predict"])
def test_a_content_type_of_many_params_is_not_parsed(client, place):
    # Parsed, these would stop the event loop, and with it all other answers, for seconds.
    kind = 'application/json; x="' + ";" * 60_000
    response = client.post(place, content=GOOD, headers={"content-type": kind})
    assert response.status_code == 415
    assert response.json()["message"].startswith("the content type has 60021 bytes; at most 256")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no JSON"),
        (b"{", "line 1, column 2"),
        (b'{"inputs": [\xff]}', "byte 12"),
        (b'{"inputs": ' + b"9" * 10_000 + b"}", "too many digits"),
        (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b"[1]", "a JSON object"),
        (b"{}", "none of them"),
        (b'{"messages": []}', "none of them"),
        (b'{"inputs": [], "instances": []}', "inputs and instances"),
        (b'{"inputs": [], "model": 1}', "unknown field 'model'"),
    ],
)
def test_what_is_no_request_is_told_in_a_sentence(body, reason):
    app = guarded(max_bytes=1 << 20)
    response = TestClient(app).post("/invocations", content=body, headers=JSON)
    assert response.status_code == 400
    assert reason in response.json()["message"]
    assert len(response.content) < 400
    assert app.seen == []


def answer(client, content):
    response = client.post("/invocations", json={"inputs": [content]})
    return response.status_code, response.json()["message"]


def test_a_trace_or_an_echo_of_the_request_does_not_leave_the_server(client):
    trace = {"error_code": "BAD_REQUEST", "message": "no", "stack_trace": "File /srv/secret.py"}
    echo = {"error_code": "BAD_REQUEST", "message": "no\nFile /srv/secret.py"}
    for content in (trace, echo, "File /srv/secret.py"):
        status, message = answer(client, {"status": 400, "body": json.dumps(content)})
        assert status == 400
        assert "secret" not in message
        assert "inputs" in message
    assert answer(client, {"status": 503, "body": "File /srv/secret.py"}) == (
        503,
        "the server failed at this request; its log says why",
    )
    response = client.post("/invocations", json={"inputs": [{"fault": "File /srv/secret.py"}]})
    assert response.status_code == 500
    assert "secret" not in response.text


def test_a_reason_of_ours_is_passed_on(client):
    ours = {"error_code": "INVALID_PARAMETER_VALUE", "message": "row 1: not audio"}
    assert answer(client, {"status": 400, "body": json.dumps(ours)}) == (400, "row 1: not audio")


def test_another_place_is_told_where_to_ask(client):
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "POST /invocations" in response.json()["message"]


def head(length):
    return (
        "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def talk(port, sent, after_answer=b""):
    """Send something, and return what comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(4096):
            received += part
            if after_answer and received.endswith(b"answered"):
                connection.sendall(after_answer)
    return received


def test_a_body_that_does_not_come_is_waited_for_only_so_long():
    with on_a_port(guarded(max_seconds=0.1)) as port:
        received = talk(port, head(100) + b"{")
    assert received.startswith(b"HTTP/1.1 408")
    assert b"send it in parts" in received


def test_a_head_that_does_not_come_is_waited_for_only_so_long(monkeypatch, app):
    monkeypatch.setattr(TimedProtocol, "max_seconds", 0.1)
    with on_a_port(app, timeout_keep_alive=20) as port:
        assert talk(port, b"") == b""
        assert talk(port, b"POST /invocations HTTP/1.1\r\n") == b""
        # The next request of a connection is waited for as long as the first.
        received = talk(port, head(len(GOOD)) + GOOD, after_answer=b"POST /invocations")
    assert received.startswith(b"HTTP/1.1 200")
    assert app.seen == [GOOD]


def test_an_answer_may_take_longer_than_a_head(monkeypatch):
    monkeypatch.setattr(TimedProtocol, "max_seconds", 0.05)
    app = guarded()

    @app.post("/slow")
    def slow():
        time.sleep(0.5)
        return "answered"

    sent = head(len(GOOD)).replace(b"/invocations", b"/slow") + GOOD
    with on_a_port(app, timeout_keep_alive=0) as port:
        assert b"answered" in talk(port, sent)


def test_more_clients_than_allowed_are_told_to_come_back(app):
    with on_a_port(app, limit_concurrency=2) as port:
        with socket.create_connection(("127.0.0.1", port)) as first:
            first.sendall(head(len(GOOD)))
            received = talk(port, head(len(GOOD)) + GOOD)
        assert received.startswith(b"HTTP/1.1 503")


def test_a_client_that_leaves_is_a_line_of_the_log(app, caplog):
    with caplog.at_level(logging.WARNING), on_a_port(app) as port:
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            leaving.sendall(head(100) + b"{")
        until = time.monotonic() + 20
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == [
        "a client left after 1 bytes of a request"
    ]
    assert app.seen == []
