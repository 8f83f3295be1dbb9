import json
from pathlib import Path

import mlflow
import numpy as np
import psutil
import pytest
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from ser.registry import model_files
from ser.serving import server
from ser.tracking import store
from tests.promotion.support import version_of
from tests.serving.support import RATE, as_base64, encoded, speech

pytestmark = pytest.mark.stage

JSON = {"content-type": "application/json"}


@pytest.fixture
def uri(trained):
    version = version_of("lstm-aam")
    return f"models:/{version.name}/{version.number}"


@pytest.fixture
def client(uri, tmp_path):
    """`ser serve`."""
    app = server.build(model_files.fetch(uri, store.default_uri(Path()), tmp_path))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def plain_client(uri):
    """`mlflow models serve`."""
    mlflow.set_tracking_uri(store.default_uri(Path()))
    app = scoring_server.init(mlflow.pyfunc.load_model(uri))
    return TestClient(app, raise_server_exceptions=False)


def test_a_good_request_is_answered(client):
    body = {"inputs": [{"audio": as_base64(encoded(speech()))}]}
    response = client.post("/invocations", json=body)
    assert response.status_code == 200
    assert client.get("/ping").status_code == 200


def test_the_server_says_which_model_answers(client, uri):
    found = client.get("/metadata").json()
    assert f"models:/{found['name']}/{found['version']}" == uri
    assert found["emotions"] == ["angry", "happy", "neutral", "sad"]
    assert (found["cell"], found["task"], found["protocol"]) == ("lstm-aam", "csv", "session")
    assert len(found["bundle_sha256"]) == 64


@pytest.mark.parametrize("kind", [None, "text/csv", "application/vnd.apache.parquet"])
def test_a_request_that_is_no_json_is_415(client, kind):
    headers = {} if kind is None else {"content-type": kind}
    response = client.post("/invocations", content=b"{}", headers=headers)
    assert response.status_code == 415
    assert "application/json" in response.json()["message"]


def test_a_body_that_is_too_large_is_413_however_it_comes(client):
    def chunks():
        for _ in range(60):
            yield b" " * (1 << 20)

    for content in (b" " * (60 << 20), chunks()):
        response = client.post("/invocations", content=content, headers=JSON)
        assert response.status_code == 413
        assert "bytes" in response.json()["message"]


def test_json_nested_too_deeply_is_400(client):
    content = b'{"inputs": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    response = client.post("/invocations", content=content, headers=JSON)
    assert response.status_code == 400
    assert "nested" in response.json()["message"]


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": {"columns": ["audio"], "data": [[1, 2], [3]]}},
        {"dataframe_split": "no table"},
        {"dataframe_records": {"audio": {"a": 1}}},
        {"inputs": [[[]]]},
        {"instances": [{"samples": [0.1]}, {"audio": "x"}, 3]},
    ],
)
def test_a_table_that_mlflow_cannot_make_is_told_without_a_trace(client, content):
    response = client.post("/invocations", json=content)
    assert response.status_code == 400
    assert set(response.json()) == {"error_code", "message"}
    for word in ("Traceback", "site-packages", str(Path.cwd())):
        assert word not in response.text


def wild(rng, depth=0):
    """A value that JSON can say, of any kind."""
    kind = rng.integers(9 if depth < 3 else 6)
    scalars = [None, bool(rng.integers(2)), int(rng.integers(-(10**9), 10**9)), rng.normal() * 1e9]
    if kind < 4:
        return scalars[kind]
    if kind == 4:
        return rng.bytes(int(rng.integers(30))).decode("latin-1")
    if kind == 5:
        return float(rng.choice([np.nan, np.inf, -np.inf, 1e308]))
    if kind == 6:
        return [wild(rng, depth + 1) for _ in range(rng.integers(4))]
    keys = ["audio", "samples", "sampling_rate", "path", "columns", "data", "index", "wrong", ""]
    return {str(rng.choice(keys)): wild(rng, depth + 1) for _ in range(rng.integers(4))}


def row(rng, recording):
    """A row that is nearly right."""
    kind = rng.integers(8)
    if kind == 0:
        damaged = bytearray(recording)
        for at in rng.integers(len(damaged), size=20):
            damaged[at] = int(rng.integers(256))
        return {"audio": as_base64(bytes(damaged))}
    if kind == 1:
        return {"audio": as_base64(recording[: int(rng.integers(len(recording)))])}
    if kind == 2:
        return {"audio": as_base64(rng.bytes(int(rng.integers(400))))}
    if kind == 3:
        return {"samples": wild(rng), "sampling_rate": wild(rng)}
    if kind == 4:
        return {"samples": rng.normal(size=50).tolist(), "sampling_rate": int(rng.integers(-9, 9))}
    if kind == 5:
        return {"path": str(rng.choice(["/etc/passwd", "../../x", "", "a\0b", "~/.ssh/id_rsa"]))}
    if kind == 6:
        return {str(rng.choice(["audio", "wrong", "samples"])): wild(rng)}
    return {"audio": as_base64(recording), "samples": [0.1], "path": "x"}


def malformed(rng, recording):
    """A malformed request: its body and headers."""
    kind = rng.integers(7)
    fields = ["inputs", "instances", "dataframe_records", "dataframe_split", "wrong", "messages"]
    if kind == 0:
        return rng.bytes(int(rng.integers(200))), JSON
    if kind == 1:
        return json.dumps(wild(rng)).encode(), JSON
    if kind == 2:
        return json.dumps({str(rng.choice(fields)): wild(rng)}).encode(), JSON
    if kind == 3:
        content = json.dumps({"dataframe_records": [row(rng, recording)]}).encode()
        return content[: int(rng.integers(len(content)))], JSON
    if kind == 4:
        types = ["text/csv", "application/vnd.apache.parquet", "text/plain", "a/b; charset=x", ";"]
        return rng.bytes(int(rng.integers(100))), {"content-type": str(rng.choice(types))}
    content = {
        str(rng.choice(fields[:3])): [row(rng, recording) for _ in range(rng.integers(1, 3))]
    }
    if kind == 5:
        content["params"] = wild(rng)
    return json.dumps(content).encode(), JSON


@pytest.mark.parametrize("name", ["client", "plain_client"])
def test_a_thousand_malformed_requests_end_in_no_5xx_and_take_no_memory(name, request):
    client = request.getfixturevalue(name)
    rng = np.random.default_rng(0)
    recording = encoded(speech(0.2), RATE)
    process = psutil.Process()
    statuses, before = [], 0
    for number in range(1000):
        if number == 200:
            before = process.memory_info().rss
        content, headers = malformed(rng, recording)
        statuses.append(client.post("/invocations", content=content, headers=headers).status_code)
    assert {status for status in statuses if status >= 500} == set()
    assert sum(400 <= status < 500 for status in statuses) > 800
    assert process.memory_info().rss - before < 64 * 2**20
    good = {"inputs": [{"audio": as_base64(recording)}]}
    assert client.post("/invocations", json=good).status_code == 200
