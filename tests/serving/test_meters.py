import asyncio
import contextlib
import re

import pytest
from starlette.testclient import TestClient

from ser.serving import meters
from ser.serving.meters import Metered, Meters, refusal_of
from tests.serving import stand_in
from tests.serving.support import as_base64, encoded, speech

WAV = {"content-type": "audio/wav"}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.delenv(meters.SHARED_FOLDER, raising=False)


def client_of(**settings):
    return TestClient(stand_in.application(**settings), raise_server_exceptions=False)


def counts(client):
    """Name with labels -> value."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_an_answer_is_counted_with_its_class_its_length_and_its_speed():
    client = client_of()
    client.post("/predict", content=encoded(speech(3.0)), headers=WAV)
    client.post("/invocations", json={"inputs": [{"audio": as_base64(encoded(speech(1.0)))}] * 2})
    found = counts(client)
    assert found['ser_answers_total{emotion="happy"}'] == 3
    assert found['ser_answers_total{emotion="sad"}'] == 0
    assert found["ser_recording_duration_seconds_sum"] == pytest.approx(5.0)
    assert found["ser_real_time_factor_count"] == 3
    assert found['ser_requests_total{path="/predict",status="200"}'] == 1
    assert found['ser_request_duration_seconds_count{path="/invocations"}'] == 1
    assert sum(v for name, v in found.items() if name.startswith("ser_refusals_total")) == 0


def test_a_recording_without_an_emotion_is_counted_with_its_reason():
    client = client_of(reason="no speech")
    client.post("/predict", content=encoded(speech()), headers=WAV)
    found = counts(client)
    assert found['ser_abstentions_total{reason="no speech"}'] == 1
    assert found['ser_abstentions_total{reason="unsure"}'] == 0
    assert found['ser_answers_total{emotion="happy"}'] == 0


def test_refusals_are_counted_by_reason_and_places_by_a_closed_list():
    client = client_of()
    client.post("/predict", content=b"nonsense", headers=WAV)
    client.post("/predict", content=b"", headers=WAV)
    client.post("/predict", content=b"{}", headers={"content-type": "application/json"})
    client.post("/predict", content=b"x", headers={**WAV, "sec-fetch-site": "cross-site"})
    client.post("/invocations", json={"inputs": [{"audio": as_base64(b"nonsense")}]})
    client.post("/invocations", json={})
    client.get("/a-name-of-the-clients-choice")
    found = counts(client)
    reasons = {
        re.search('reason="(.*)"', name)[1]: value
        for name, value in found.items()
        if name.startswith("ser_refusals_total") and value
    }
    assert reasons == {
        "unreadable": 2,
        "empty": 1,
        "content type": 1,
        "cross-site": 1,
        "malformed": 1,
        "no such place": 1,
    }
    assert found['ser_requests_total{path="other",status="404"}'] == 1
    assert not any("choice" in name for name in found)


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "row 7: truncated: the header declares more", "truncated"),
        (400, "too long: 9 samples", "too long"),
        (400, "a form has one file", "malformed"),
        (400, "silently: no", "malformed"),
        (408, "", "too slow"),
        (413, "", "too large"),
        (503, "", "fault"),
        (504, "", "fault"),
    ],
)
def test_a_reason_is_one_of_a_closed_list(status, message, reason):
    assert refusal_of(status, f'{{"message": "{message}"}}'.encode()) == reason
    assert reason in meters.REFUSALS
    assert refusal_of(400, b"[]") == refusal_of(400, b"\xff") == "malformed"


def test_which_model_answers_is_a_metric():
    (line,) = (name for name in counts(client_of(synthetic=True)) if "model_info" in name)
    for part in ('name="ser-emodb-session"', 'version="3"', 'cell="lstm-aam"', 'synthetic="True"'):
        assert part in line


def metered(app):
    """What a request to an application leaves."""
    counted = Meters()
    through = Metered(app, meters=counted, paths=["/"])
    sent = []

    async def send(message):
        sent.append(message)

    async def ask():
        await through({"type": "http", "path": "/"}, None, send)

    with contextlib.suppress(ZeroDivisionError):
        asyncio.run(ask())
    return counted.exposed()[0].decode()


def test_a_fault_and_a_client_that_left_are_counted():
    async def fail(*_):
        raise ZeroDivisionError

    async def answer_nobody(*_):
        pass

    assert 'ser_requests_total{path="/",status="500"} 1.0' in metered(fail)
    assert 'ser_refusals_total{reason="fault"} 1.0' in metered(fail)
    assert 'ser_refusals_total{reason="client left"} 1.0' in metered(answer_nobody)
