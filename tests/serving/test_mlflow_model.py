import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from zipfile import ZipFile

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from ser import components, lineage
from ser.errors import RegistryError
from ser.registry import identity, model_files, packing
from ser.serving import mlflow_model
from ser.serving.request import COLUMNS
from ser.tracking import store
from tests.promotion.support import cell_of, known_version
from tests.serving.support import (
    as_base64,
    assert_same_logits,
    decision,
    encoded,
    forget_servers,
    limit,
    recordings,
    speech,
    tracked_by,
)
from tests.trained_project import CELLS

EMOTIONS = ("angry", "happy", "neutral", "sad")


@pytest.fixture
def uri_of(trained):
    """Register a cell; give the address of its version."""
    mlflow.set_tracking_uri(store.default_uri(Path()))

    def run(cell):
        version = known_version(cell)
        return f"models:/{version.name}/{version.number}"

    return run


def asked(client, rows):
    response = client.post("/invocations", json={"dataframe_records": rows})
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


@pytest.mark.parametrize("cell", CELLS)
def test_over_http_the_tracked_probabilities_are_served(cell, uri_of, trained):
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri_of(cell))))
    frame = tracked_by(cell, packing.choose(cell_of(cell)))
    path_of = recordings(trained)
    rows = [{"audio": as_base64(path_of[id_].read_bytes())} for id_ in frame["utterance_id"]]
    answers = asked(client, rows)
    served = np.array([[answer[f"uncalibrated_{name}"] for name in EMOTIONS] for answer in answers])
    tracked = frame[[f"probability_{name}" for name in EMOTIONS]].to_numpy()
    assert_same_logits(served, tracked)
    assert [decision(answer) for answer in answers] == frame["prediction"].tolist()
    assert {answer["model"] for answer in answers} == {"ser-csv-session"}
    assert {answer["version"] for answer in answers} == {uri_of(cell).rpartition("/")[2]}
    assert all(answer["synthetic"] for answer in answers)


def test_every_form_of_a_request_is_answered_alike(uri_of):
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri_of("lstm-aam"))))
    content = encoded(speech(), subtype="FLOAT")
    as_bytes = {"audio": as_base64(content)}
    as_samples = {"samples": speech().tolist(), "sampling_rate": 16000}
    bodies = [
        {"dataframe_records": [as_bytes]},
        {"inputs": [as_bytes]},
        {"inputs": as_bytes},
        {"instances": [as_bytes]},
        {"dataframe_split": {"columns": ["audio"], "data": [[as_bytes["audio"]]]}},
        {"dataframe_records": [as_samples]},
        {"inputs": [as_samples]},
    ]
    answers = [client.post("/invocations", json=body).json()["predictions"][0] for body in bodies]
    for answer in answers:
        for name in EMOTIONS:
            key = f"probability_{name}"
            # The same samples through the same network: JSON holds a float32 exactly.
            assert answer[key] == answers[0][key]


def test_one_bad_row_refuses_the_request_and_is_named(uri_of):
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri_of("lstm-aam"))))
    rows = [{"audio": as_base64(encoded(speech()))}, {"audio": "eA=="}]
    response = client.post("/invocations", json={"dataframe_records": rows})
    assert response.status_code == 400
    assert response.json()["message"].startswith("row 1: unreadable: not audio")


def test_paths_are_read_only_below_an_allowed_folder(uri_of, trained, monkeypatch):
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri_of("lstm-aam"))))
    body = {"dataframe_records": [{"path": "s1f_angry_0.wav"}]}
    assert client.post("/invocations", json=body).status_code == 400
    monkeypatch.setenv(mlflow_model.ALLOWED_FOLDER, str(trained / "data" / "raw" / "csv"))
    assert client.post("/invocations", json=body).status_code == 200
    body = {"dataframe_records": [{"path": "../../manifest.jsonl"}]}
    assert "leads out" in client.post("/invocations", json=body).json()["message"]


@pytest.fixture
def no_server(monkeypatch):
    """A program of one's own, as far as the model can see."""
    forget_servers(monkeypatch)


def test_a_program_of_one_s_own_names_recordings_by_path(uri_of, trained, no_server):
    model = mlflow.pyfunc.load_model(uri_of("lstm-aam"))
    paths = list(recordings(trained).values())[:2]
    rows = [{"audio": as_base64(path.read_bytes())} for path in paths]
    wanted = model.predict(pd.DataFrame(rows)).to_dict("records")
    assert model.predict([str(path) for path in paths]).to_dict("records") == wanted
    assert model.predict(paths).to_dict("records") == wanted
    assert model.predict(str(paths[0])).to_dict("records") == wanted[:1]
    assert model.predict(paths[1].read_bytes()).to_dict("records") == wanted[1:]
    with pytest.raises(mlflow.MlflowException, match=r"^.*recording 1: .*none\.wav: missing"):
        model.predict([str(paths[0]), "none.wav"])
    with pytest.raises(mlflow.MlflowException, match=r"is its path or its bytes, got 0\.5"):
        model.predict(0.5)


def test_a_server_reads_no_path_whatever_its_form(uri_of, trained, monkeypatch):
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri_of("lstm-aam"))))
    monkeypatch.chdir(trained / "data" / "raw" / "csv")
    name = "s1f_angry_0.wav"
    assert Path(name).is_file()
    for body in (
        {"inputs": name},
        {"inputs": [name]},
        {"inputs": {"0": [name]}},
        {"instances": [name]},
        {"instances": name},
        {"dataframe_split": {"columns": [0], "data": [[name]]}},
        {"dataframe_records": [{"0": name}]},
    ):
        response = client.post("/invocations", json=body)
        assert response.status_code == 400, body
        assert "predictions" not in response.json()
    # Once more, so that it is not refused for its form alone.
    forget_servers(monkeypatch)
    assert client.post("/invocations", json={"inputs": name}).status_code == 200


def test_the_logged_model_is_code_and_safetensors(uri_of, tmp_path):
    uri = uri_of("wav2vec2-focal")
    bundle = model_files.fetch_bundle(uri, store.default_uri(Path()), tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (bundle / "checkpoint" / "model.safetensors").is_file()
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".pth", ".bin")]
    described = mlflow.models.get_model_info(uri)
    assert [spec.name for spec in described.signature.inputs] == [0, *COLUMNS]
    requirements = next(path for path in files if path.name == "requirements.txt").read_text()
    assert f"mlflow=={mlflow.__version__}" in requirements
    assert all("==" in line for line in requirements.split())


def test_the_package_in_a_model_is_one_file_with_every_source(uri_of, tmp_path):
    bundle = model_files.fetch_bundle(uri_of("lstm-aam"), store.default_uri(Path()), tmp_path)
    code = model_files.model_of(bundle) / "code"
    assert [path.name for path in code.rglob("*")] == ["ser.zip"]
    with ZipFile(code / "ser.zip") as package:
        sources = {name: hashlib.sha256(package.read(name)) for name in package.namelist()}
    found = lineage.file_digests(Path(), ["ser"])
    assert {name: digest.hexdigest() for name, digest in sources.items()} == found
    assert "ser/serving/mlflow_model.py" in found


def test_the_same_sources_are_the_same_package_whatever_their_age(trained, tmp_path):
    shutil.copytree("ser", tmp_path / "ser", copy_function=shutil.copyfile)
    for root, name in ((Path(), "one"), (tmp_path, "two")):
        mlflow_model.write_package(root, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_every_component_is_found_in_a_package_as_in_a_folder(trained, tmp_path):
    mlflow_model.write_package(Path(), tmp_path / "ser.zip")
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from ser import components\n"
        "print(json.dumps([components.__file__, *map(components.names, components.FAMILIES)]))"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "ser.zip")]
    said = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True).stdout
    place, *found = json.loads(said)
    assert place == str(tmp_path / "ser.zip" / "ser" / "components.py")
    assert found == [list(components.names(family)) for family in components.FAMILIES]


def test_the_input_example_is_answered(uri_of):
    model = mlflow.pyfunc.load_model(uri_of("lstm-aam"))
    answer = model.predict(mlflow_model.input_example(16000))
    assert isinstance(answer, pd.DataFrame)
    assert decision(answer.iloc[0].to_dict()) in EMOTIONS


def test_an_unknown_model_is_refused_with_the_cure(trained, tmp_path):
    with pytest.raises(RegistryError, match="`ser register"):
        model_files.fetch_bundle("models:/none@champion", store.default_uri(Path()), tmp_path)


def test_a_sound_that_nobody_made_is_answered_with_null_and_the_reason(uri_of):
    model = mlflow.pyfunc.load_model(uri_of("lstm-aam"))
    limit(model.unwrap_python_model().predictor, min_speech_share=0.25)
    client = TestClient(scoring_server.init(model))
    (answer,) = asked(client, [{"samples": speech(2.0).tolist(), "sampling_rate": 16000}])
    assert answer["emotion"] is None
    assert (answer["abstained"], answer["reason"]) == (True, "no speech")
    assert answer["speech_share"] == 0.0
    assert 0.0 < answer["familiarity"] <= 1.0
    assert sum(answer[f"probability_{name}"] for name in EMOTIONS) == pytest.approx(1.0)
    assert {window["reason"] for window in answer["windows"]} == {"no speech"}


def test_the_signature_names_what_is_answered_and_what_may_be_null(uri_of):
    model = mlflow.pyfunc.load_model(uri_of("lstm-aam"))
    outputs = model.metadata.signature.outputs
    answer = model.predict(mlflow_model.input_example(16000))
    assert outputs.input_names() == list(answer.columns)
    optional = {spec.name for spec in outputs if not spec.required}
    assert optional == {"emotion", "reason", "speech_share", "familiarity"}
    (windows,) = [spec for spec in outputs if spec.name == "windows"]
    properties = windows.type.dtype.properties
    assert {p.name for p in properties} == set(answer["windows"][0][0])
    assert {p.name for p in properties if not p.required} == optional


def test_a_refusal_does_not_echo_the_request():
    body = json.loads(mlflow_model.RequestRefused("too short").serialize_as_json())
    assert body == {"error_code": "INVALID_PARAMETER_VALUE", "message": "too short"}


def test_a_bundle_outside_of_a_model_has_no_name(tmp_path):
    assert identity.registered_as(tmp_path / "bundle") == {}


@pytest.fixture
def server(uri_of):
    """A real `mlflow models serve`; its address."""
    uri = uri_of("lstm-aam")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        [*command, "--env-manager", "local", "--port", str(port)],
        env={**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": store.default_uri(Path())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=1)
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield address
        os.killpg(process.pid, 15)


def post(address, body):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/invocations", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.system
def test_mlflow_models_serve_answers_and_refuses(server):
    body = json.dumps({"inputs": [{"audio": as_base64(encoded(speech()))}]}).encode()
    status, answer = post(server, body)
    assert status == 200
    assert decision(answer["predictions"][0]) in EMOTIONS
    for bad in (b'{"inputs": [{"audio": "eA=="}]}', b'{"inputs": [{"path": "/etc/passwd"}]}', b"{"):
        status, answer = post(server, bad)
        assert status == 400
        assert answer["message"]
    assert post(server, body)[0] == 200
