import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ser.registry import model_files
from ser.serving import server
from ser.serving.request_log import RequestLog
from ser.tracking import store
from tests.promotion.support import known_version
from tests.recordings import SAMPLING_RATE
from tests.serving.support import as_base64, encoded, recordings, speech


@pytest.fixture
def model(trained):
    version = known_version("lstm-aam")
    return ("--model", f"models:/{version.name}/{version.number}")


@pytest.fixture
def folder(tmp_path):
    """Recordings that are much louder and longer than the corpus."""
    for number in range(6):
        content = encoded(4.0 * speech(2.5, seed=number), SAMPLING_RATE, subtype="FLOAT")
        (tmp_path / f"{number}.wav").write_bytes(content)
    return tmp_path


def test_a_folder_that_sounds_different_is_drift(model, ser, folder, tmp_path):
    out_file, page = tmp_path / "drift.json", tmp_path / "drift.html"
    status, out, err = ser("monitor", folder, "--json", out_file, "--page", page, *model)
    assert status == 0, err
    assert out.startswith(f"{model[1]}: drift: ")
    told = json.loads(out_file.read_text())
    assert told["drift"] is True
    assert {one["name"] for one in told["findings"] if one["moved"]} >= {"level_dbfs", "duration_s"}
    assert page.read_text().startswith("<!doctype html>")
    assert ser("monitor", folder, "--json", out_file, "--page", page, *model)[0] == 0  # once more


def test_what_the_corpus_itself_sounds_like_has_not_moved(model, ser, trained):
    source = next(iter(recordings(trained).values())).parent
    status, out, err = ser("monitor", source, "--json", "-", "--speakers", "6", *model)
    assert status == 0, err
    findings = {one["name"]: one for one in json.loads(out)["findings"]}
    for name in ("duration_s", "level_dbfs", "snr_db", "rolloff_hz"):
        assert not findings[name]["moved"]
        assert findings[name]["reference"] == pytest.approx(findings[name]["now"], rel=0.01)


def test_drift_is_a_status_of_its_own_where_asked(model, ser, folder):
    status, out, _ = ser("monitor", folder, "--fail-on-drift", "--json", "-", *model)
    assert status == 3
    assert json.loads(out)["num_recordings"] == 6


def test_what_cannot_be_used_is_said_and_nothing_at_all_refused(model, ser, folder, tmp_path):
    (folder / "bad.wav").write_bytes(b"nonsense")
    status, out, err = ser("monitor", folder, *model)
    assert (status, "left out: " in err) == (0, True)
    assert "6 recordings, taken to be of 1 speaker" in out
    only = tmp_path / "only"
    only.mkdir()
    status, _, err = ser("monitor", only, *model)
    assert status == 1
    assert "holds no .wav" in err
    (only / "bad.wav").write_bytes(b"nonsense")
    status, _, err = ser("monitor", only, *model)
    assert status == 1
    assert "none of 1 recordings can be used" in err
    assert "Traceback" not in err


@pytest.mark.stage
def test_the_log_of_a_server_is_compared_and_holds_no_audio(model, ser, folder, tmp_path):
    log = tmp_path / "requests.jsonl"
    kept = tmp_path / "model"
    kept.mkdir()
    uri = store.default_uri(Path())
    app = server.build(model_files.fetch(model[1], uri, kept), log=RequestLog(log))
    client = TestClient(app, raise_server_exceptions=False)
    for path in sorted(folder.glob("*.wav")):
        body = {"inputs": [{"audio": as_base64(path.read_bytes())}]}
        assert client.post("/invocations", json=body).status_code == 200
    assert client.post("/invocations", json={"inputs": [{"audio": "x"}]}).status_code == 400
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 6
    assert max(len(line) for line in log.read_text().splitlines()) < 1000
    assert {line["version"] for line in lines} == {model[1].rpartition("/")[2]}
    status, out, err = ser("monitor", log, *model)
    assert status == 0, err
    of_log = out.splitlines()[4:]
    _, out, _ = ser("monitor", folder, *model)
    assert out.splitlines()[4:] == of_log


def test_a_log_that_cannot_be_written_stops_the_start(model, ser, tmp_path):
    status, _, err = ser("serve", "--log", tmp_path / "none" / "log", *model)
    assert status == 1
    assert "cannot be written to" in err
