import json
import re

import pytest
from starlette.testclient import TestClient

from ser.serving import api_description
from ser.serving.segment_formats import FORMATS
from tests.serving import stand_in
from tests.serving.support import as_base64, encoded, speech

ROUTES = {"/predict", "/invocations", "/ping", "/health", "/version", "/metadata", "/metrics"}


@pytest.fixture(scope="module")
def client():
    return TestClient(stand_in.application(synthetic=True), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def described(client):
    return client.get("/openapi.json").json()


def schema_of(described, place, status="200", method="post"):
    content = described["paths"][place][method]["responses"][status]["content"]
    schema = content["application/json"]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    return described["components"]["schemas"][name] if name else schema


def test_every_route_for_programs_is_described(described):
    assert set(described["paths"]) == ROUTES
    assert "angry, happy, neutral, sad" in described["info"]["description"]
    assert "SYNTHETIC" in described["info"]["description"]


def test_an_answer_has_the_fields_that_are_described(client, described):
    content = encoded(speech(3.0))
    answer = client.post("/predict", content=content, headers={"content-type": "audio/wav"}).json()
    schema = schema_of(described, "/predict")
    # The others are there where they are asked for, or the model has them.
    assert set(answer) == set(schema["required"])
    assert set(schema["properties"]) - set(answer) == {"ratings", "segments", "files"}
    window = described["components"]["schemas"]["StretchAnswer"]
    assert set(answer["windows"][0]) == set(window["properties"])


def test_segments_have_the_fields_that_are_described(client, described):
    route = described["paths"]["/predict"]["post"]
    (given,) = [one for one in route["parameters"] if one["name"] == "format"]
    assert given["schema"]["enum"] == list(FORMATS)
    content, headers = encoded(speech(6.0)), {"content-type": "audio/wav"}
    answer = client.post("/predict?format=json", content=content, headers=headers).json()
    segment = described["components"]["schemas"]["SegmentAnswer"]
    assert {frozenset(one) for one in answer["segments"]} == {frozenset(segment["properties"])}
    kinds = set(route["responses"]["200"]["content"])
    for name in given["schema"]["enum"]:
        response = client.post(f"/predict?format={name}", content=content, headers=headers)
        assert response.headers["content-type"].partition(";")[0] in kinds


def test_an_answer_of_mlflows_route_has_the_fields_that_are_described(client, described):
    rows = {"inputs": [{"audio": as_base64(encoded(speech(3.0)))}]}
    (answer,) = client.post("/invocations", json=rows).json()["predictions"]
    schema = schema_of(described, "/invocations")["properties"]["predictions"]["items"]
    assert set(answer) == set(schema["properties"])
    window = schema["properties"]["windows"]["items"]
    assert set(answer["windows"][0]) == set(window["properties"])
    assert schema["properties"]["emotion"] == {"type": ["string", "null"]}
    assert schema["properties"]["probability_sad"] == {"type": "number"}


@pytest.mark.parametrize("place", ["/predict", "/invocations"])
def test_refusals_are_described_as_they_are(client, described, place):
    responses = described["paths"][place]["post"]["responses"]
    assert {"400", "403", "408", "413", "415"} < set(responses)
    assert "422" not in responses
    refusal = client.post(place, content=b"", headers={"content-type": "text/plain"}).json()
    assert set(refusal) == set(schema_of(described, place, "415")["properties"])


@pytest.mark.parametrize("place", ["/health", "/version", "/metadata"])
def test_what_runs_is_said_as_described(client, described, place):
    schema = schema_of(described, place, method="get")
    response = client.get(place)
    assert response.status_code == 200
    assert set(response.json()) == set(schema["properties"])
    assert "422" not in described["paths"][place]["get"]["responses"]


def test_the_versions_are_ours_mlflows_and_the_models(client):
    found = client.get("/version").json()
    assert found["mlflow"] == "3.17.2"
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["ser"])
    assert found["model"]["name"] == "ser-emodb-session"
    assert found["model"]["synthetic"] is True
    assert found["limits"]["max_duration_s"] == 600


def test_every_reference_leads_to_a_schema(described):
    names = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described))
    assert set(names) <= set(described["components"]["schemas"])


def test_people_read_the_same_without_a_script(client, described):
    response = client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "<script" not in response.text
    for place in ROUTES:
        assert f"<code>{place}</code>" in response.text
    for schema in ("RecordingAnswer", "RefusalAnswer", "VersionAnswer"):
        for name in described["components"]["schemas"][schema]["properties"]:
            assert f"<code>{name}</code>" in response.text
    assert "no speech | unlike anything in training | unsure" in response.text


def test_what_a_description_says_is_text_and_no_markup(described):
    injected = json.loads(json.dumps(described).replace("Answer for one", "<b>Answer</b> for one"))
    assert "&lt;b&gt;Answer" in api_description.as_html(injected)


def test_pages_that_would_fetch_scripts_from_elsewhere_are_gone(client):
    for place in ("/redoc", "/docs/oauth2-redirect"):
        assert client.get(place).status_code == 404
    assert "cdn" not in client.get("/docs").text
