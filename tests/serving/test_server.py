from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from benchmarks import bad_requests
from ser.registry import model_files
from ser.serving import server
from ser.tracking import store
from tests import trained_project
from tests.promotion.support import known_version
from tests.serving.support import RATE, as_base64, encoded, speech

pytestmark = pytest.mark.stage

JSON = {"content-type": "application/json"}


@pytest.fixture
def uri(trained):
    version = known_version("lstm-aam")
    return f"models:/{version.name}/{version.number}"


@pytest.fixture(scope="module")
def fetched(trained_root, tmp_path_factory):
    """The model, out of the store."""
    with pytest.MonkeyPatch.context() as patch:
        trained_project.enter(trained_root, patch)
        version = known_version("lstm-aam")
        uri = f"models:/{version.name}/{version.number}"
        folder = tmp_path_factory.mktemp("fetched")
        return model_files.fetch(uri, store.default_uri(Path()), folder)


@pytest.fixture(scope="module")
def app(fetched):
    """`ser serve`."""
    return server.build(fetched)


@pytest.fixture
def client(app, trained):
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


def test_a_recording_is_answered_as_by_mlflows_route(client, uri):
    content = encoded(speech(2.0))
    rows = {"inputs": [{"audio": as_base64(content)}]}
    (row,) = client.post("/invocations", json=rows).json()["predictions"]
    answer = client.post("/predict", content=content, headers={"content-type": "audio/wav"}).json()
    for name in ("emotion", "abstained", "reason", "speech_share", "familiarity", "end_s"):
        assert answer[name] == row[name], name
    assert answer["probabilities"] == {
        name.removeprefix("probability_"): value
        for name, value in row.items()
        if name.startswith("probability_")
    }
    assert len(answer["windows"]) == len(row["windows"]) > 1
    assert answer["run_key"] == row["run_key"]
    assert answer["synthetic"] is answer["answered_by"]["synthetic"] is True
    named = answer["answered_by"]
    assert f"models:/{named['name']}/{named['version']}" == uri


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


@pytest.mark.parametrize("name", ["client", "plain_client"])
def test_a_thousand_malformed_requests_end_in_no_5xx_and_take_no_memory(name, request):
    client = request.getfixturevalue(name)
    recording = encoded(speech(0.2), RATE)
    process = psutil.Process()
    bad_requests.campaign(client, recording, num_requests=200, seed=1)
    before = process.memory_info().rss
    statuses, faults = bad_requests.campaign(client, recording, num_requests=800, seed=0)
    assert [status for status in statuses if status >= 500] == []
    # MLflow's own server shows traces and takes its time: why there is a guard.
    assert name == "plain_client" or faults == []
    assert sum(count for status, count in statuses.items() if 400 <= status < 500) > 640
    assert process.memory_info().rss - before < 64 * 2**20
    good = {"inputs": [{"audio": as_base64(recording)}]}
    assert client.post("/invocations", json=good).status_code == 200
