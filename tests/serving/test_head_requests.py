import pytest
from starlette.testclient import TestClient

from tests.serving import stand_in
from tests.serving.listening import on_a_port


@pytest.fixture(scope="module")
def client():
    return TestClient(stand_in.application(), raise_server_exceptions=False)


@pytest.mark.parametrize(
    "place",
    ["/", "/page/app.js", "/health", "/ping", "/version", "/metadata", "/docs", "/openapi.json"],
)
def test_head_is_get_without_a_body(client, place):
    head, get = client.head(place), client.get(place)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize("place", ["/predict", "/invocations", "/none"])
def test_where_get_is_refused_so_is_head(client, place):
    head = client.head(place)
    assert head.status_code == client.get(place).status_code >= 400
    assert head.content == b""


def test_a_connection_serves_further_requests_after_a_head():
    from http.client import HTTPConnection

    with on_a_port(stand_in.application()) as port:
        connection = HTTPConnection("127.0.0.1", port)
        for method in ("HEAD", "GET", "HEAD"):
            connection.request(method, "/health")
            answer = connection.getresponse()
            assert answer.status == 200
            assert bool(answer.read()) == (method == "GET")
        connection.close()
