import asyncio
import csv
import json

import pytest
from starlette.testclient import TestClient

from ser.serving import audio_route
from ser.serving.audio_input import InputLimits
from ser.serving.segment_formats import FORMATS, MEDIA_TYPES
from tests.serving import stand_in
from tests.serving.support import encoded, speech

WAV = {"content-type": "audio/wav"}


@pytest.fixture(scope="module")
def client():
    limits = InputLimits(max_bytes=200_000, max_duration_s=5.0)
    return TestClient(stand_in.application(limits=limits), raise_server_exceptions=False)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_the_bytes_of_a_recording_are_answered(client, kind):
    content = encoded(speech(3.0), kind=kind)
    response = client.post("/predict", content=content, headers={"content-type": "audio/x"})
    assert response.status_code == 200
    answer = response.json()
    assert answer["emotion"] == "happy"
    assert answer["probabilities"]["happy"] == 0.7
    assert [w["emotion"] for w in answer["windows"]] == ["happy", None]
    assert answer["windows"][1]["reason"] == "unsure"
    assert answer["answered_by"]["name"] == "ser-emodb-session"
    assert answer["synthetic"] is False


def test_a_form_is_answered_as_the_bytes_are(client):
    content = encoded(speech())
    form = client.post("/predict", files={"audio": ("a.wav", content, "audio/wav")})
    assert form.status_code == 200
    assert form.json() == client.post("/predict", content=content, headers=WAV).json()


@pytest.fixture(scope="module")
def patient():
    return TestClient(stand_in.application())


def ask(client, query, content):
    return client.post(f"/predict?{query}", content=content, headers=WAV)


def test_the_segments_of_a_recording_are_answered_in_every_format_at_once(patient):
    content = encoded(speech(6.0))
    answer = ask(patient, "format=json&name=my talk.wav", content).json()
    plain = patient.post("/predict", content=content, headers=WAV).json()
    assert {key: answer[key] for key in plain} == plain
    assert [one["emotion"] for one in answer["segments"]] == ["happy", "sad"]
    assert set(answer["files"]) == set(FORMATS) - {"json"}
    for name, text in answer["files"].items():
        response = ask(patient, f"format={name}&name=my talk.wav", content)
        assert response.text == text
        assert response.headers["content-type"].startswith(MEDIA_TYPES[name])
    rows = list(csv.DictReader(answer["files"]["csv"].splitlines()))
    assert [row["emotion"] for row in rows] == ["happy", "sad"]
    assert {row["source"] for row in rows} == {"my talk.wav"}
    assert answer["files"]["rttm"].startswith("SPEAKER my_talk 1 0.000 ")


def test_a_form_is_answered_in_segments_too(patient):
    files = {"audio": ("a.wav", encoded(speech(6.0)), "audio/wav")}
    response = patient.post("/predict?format=audacity", files=files)
    assert [line.split("\t")[2] for line in response.text.splitlines()] == ["happy", "sad"]


def test_segments_are_counted_as_one_answer():
    client = TestClient(stand_in.application())
    ask(client, "format=csv", encoded(speech(6.0)))
    (line,) = [
        one
        for one in client.get("/metrics").text.splitlines()
        if one.startswith('ser_answers_total{emotion="happy"}')
    ]
    assert line.endswith(" 1.0")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("format=xml", "format 'xml': there are text, csv, json, rttm, audacity"),
        ("format=", "format '': there are text"),
        ("fromat=csv", "unknown parameter 'fromat'; there are format and name"),
        ("format=csv&format=rttm", "are given once"),
        ("format=csv&name=", "name is 1 to 255 characters"),
        ("format=csv&name=a%0Ab", "name is 1 to 255 characters"),
        ("name=" + "a" * 256, "name is 1 to 255 characters"),
        ("name=" + "%ff" * 3, None),  # not UTF-8: shown as such
    ],
)
def test_an_address_that_asks_for_something_else_is_refused(client, query, said):
    response = ask(client, query, encoded(speech()))
    assert response.status_code == (400 if said else 200)
    assert said is None or said in response.json()["message"]


def test_another_form_is_told_what_a_form_holds(client):
    response = client.post("/predict", files={"other": b"x"})
    assert response.status_code == 400
    assert "one file named `audio`" in response.json()["message"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty: the file has 0 bytes"),
        (b"nonsense", "unreadable: not audio"),
        (encoded(speech())[:500], "truncated: "),
        (encoded(0 * speech()), "silent: "),
        (encoded(speech(0.01)), "too short: "),
        (encoded(speech(5.5)), "too long: "),
    ],
)
def test_what_cannot_be_used_is_told_in_the_sentence_of_the_reader(client, content, reason):
    response = client.post("/predict", content=content, headers=WAV)
    assert response.status_code == 400
    assert response.json()["message"].startswith(reason)


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "text/plain", "", "audio"]
)
def test_no_other_kind_of_body_is_read(client, kind):
    response = client.post("/predict", content=b"{}", headers={"content-type": kind})
    assert response.status_code == 415
    assert "audio/wav" in response.json()["message"]


def test_audio_is_taken_at_no_other_place(client):
    assert client.post("/invocations", content=b"x", headers=WAV).status_code == 415


def test_a_recording_that_is_too_large_is_not_read_whole(client):
    read = []

    def chunks():
        for _ in range(100):
            read.append(1)
            yield b" " * 100_000

    response = client.post("/predict", content=chunks(), headers=WAV)
    assert response.status_code == 413
    # The envelope of a form, one MiB, is allowed beside the recording.
    response = client.post("/predict", content=b" " * 300_000, headers=WAV)
    assert response.json()["message"].startswith("too large: 300000 bytes")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("place", ["/predict", "/invocations"])
def test_a_page_of_another_site_may_not_ask(client, site, place):
    headers = {**WAV, "sec-fetch-site": site}
    response = client.post(place, content=encoded(speech()), headers=headers)
    assert response.status_code == 403
    assert "another site" in response.json()["message"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://testserver", 200),
        ("https://testserver:443", 200),
        ("https://testserver", 200),  # a proxy speaks https for us
        ("http://testserver:80", 200),
        ("http://testserver:8080", 403),
        ("http://evil.example", 403),
        ("http://testserver.evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("http://[", 403),
    ],
)
def test_a_browser_that_names_the_page_alone_asks_for_its_own(client, origin, status):
    """Older browsers, and all of them without https on another machine."""
    headers = {**WAV, "origin": origin}
    response = client.post("/predict", content=encoded(speech()), headers=headers)
    assert response.status_code == status
    said = {**headers, "sec-fetch-site": "same-origin"}
    assert client.post("/predict", content=encoded(speech()), headers=said).status_code == 200


def test_the_own_page_may_ask(client):
    headers = {**WAV, "sec-fetch-site": "same-origin"}
    assert client.post("/predict", content=encoded(speech()), headers=headers).status_code == 200


def test_a_fault_is_one_sentence_without_a_trace(client, monkeypatch):
    def fail(*_):
        raise RuntimeError("File /srv/secret.py")

    monkeypatch.setattr(audio_route, "answer", fail)
    response = client.post("/predict", content=encoded(speech()), headers=WAV)
    assert response.status_code == 500
    assert "secret" not in response.text


def test_many_damaged_recordings_and_forms_end_in_no_5xx(client):
    good = encoded(speech(0.2))
    form = client.build_request("POST", "/predict", files={"audio": good})
    whole = form.read()
    for cut in range(0, len(good), len(good) // 100):
        for content, headers in ((whole[:cut], form.headers), (good[:cut], WAV)):
            kind = {"content-type": headers["content-type"]}
            response = client.post("/predict", content=content, headers=kind)
            assert response.status_code == 400, (cut, response.text)
            assert set(json.loads(response.text)) == {"error_code", "message"}


def test_an_answer_is_computed_beside_the_event_loop(client, monkeypatch):
    def is_in_a_loop(*_):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    seen = []
    original = audio_route.answer
    monkeypatch.setattr(
        audio_route, "answer", lambda *a: seen.append(is_in_a_loop()) or original(*a)
    )
    client.post("/predict", content=encoded(speech()), headers=WAV)
    assert seen == [False]
