import socket

import pytest
from starlette.testclient import TestClient

from ser.errors import SerError
from ser.serving import host_guard
from tests.serving import stand_in
from tests.serving.support import encoded, speech


@pytest.fixture(scope="module")
def client():
    names = host_guard.allowed("0.0.0.0", "ser.example.org,*.internal")
    app = stand_in.application(allowed_hosts=names)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:5050", "LOCALHOST", "localhost.", "page.localhost:80"),
        *("127.0.0.1:5050", "10.1.2.3:5050", "[::1]:5050", "[fe80::1]"),
        *("ser.example.org", "Ser.Example.org:443", "a.internal", "a.b.internal:8080"),
        socket.gethostname(),
    ],
)
def test_names_of_the_server_and_addresses_pass(client, host):
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "ser.example.org.evil.example", "internal", "evilinternal"),
        *("localhost.evil.example", "127.0.0.1.evil.example", "evil.example:5050"),
        *("", "[::1", "@localhost@evil.example", "2130706433"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_that_is_not_the_servers_is_refused(client, host, method):
    place, headers = ("/health" if method == "GET" else "/predict"), {"host": host}
    content = encoded(speech()) if method == "POST" else None
    response = client.request(
        method, place, content=content, headers={**headers, "content-type": "audio/wav"}
    )
    assert response.status_code == 421
    assert "--allowed-hosts" in response.json()["message"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_two_names_at_once_are_none():
    assert host_guard.host_in([(b"host", b"localhost"), (b"host", b"evil.example")]) is None


def test_refusals_are_counted(client):
    client.get("/", headers={"host": "evil.example"})
    counts = client.get("/metrics", headers={"host": "localhost"}).text
    assert 'ser_refusals_total{reason="another host"} ' in counts
    assert 'ser_refusals_total{reason="another host"} 0.0' not in counts


def test_the_name_that_it_listens_at_is_one_of_its_names():
    assert "box.example.org" in host_guard.allowed("Box.Example.org")


def test_a_star_alone_is_every_name():
    names = host_guard.allowed("127.0.0.1", "a.example, *")
    assert names == ("*",)
    client = TestClient(stand_in.application(allowed_hosts=names))
    assert client.get("/health", headers={"host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("name", ["http://a.example", "a.example:80", "a b", "a.*.example"])
def test_what_is_no_name_is_refused_before_anything_is_loaded(name):
    with pytest.raises(SerError, match="without http:// and port, by commas"):
        host_guard.allowed("127.0.0.1", f"b.example,{name}")
