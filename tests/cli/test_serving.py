import errno
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ser import files
from ser.data import manifest
from ser.project import Project
from ser.serving import server, workers
from ser.serving.timed_protocol import TimedProtocol
from tests.promotion.support import champion_of, known_version
from tests.serving.support import decision, encoded, speech

EMOTIONS = {"angry", "happy", "neutral", "sad"}


@pytest.fixture
def model(trained):
    version = known_version("lstm-aam")
    return ("--model", f"models:/{version.name}/{version.number}")


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(speech(0.5)))
    return path


def test_a_recording_is_answered_for_people(model, ser, wav):
    status, out, err = ser("predict", wav, *model)
    assert status == 0, err
    (line,) = out.splitlines()
    assert line.startswith(f"{wav}: ")
    name, number = model[1].removeprefix("models:/").split("/")
    assert f"{name} version {number} (lstm-aam) answers: angry, happy, neutral, sad; of csv" in err
    assert all(emotion in line for emotion in EMOTIONS)


def test_a_recording_is_answered_for_programs(model, ser, wav):
    status, out, _ = ser("predict", wav, wav, "--json", *model)
    assert status == 0
    first, second = (json.loads(line) for line in out.splitlines())
    assert first == second
    assert decision(first) in EMOTIONS
    assert sum(first["probabilities"].values()) == pytest.approx(1.0)
    assert first["model"] == model[1]
    name, number = model[1].removeprefix("models:/").split("/")
    who = first["answered_by"]
    assert (who["name"], who["version"], who["cell"]) == (name, number, "lstm-aam")
    assert set(who["emotions"]) == EMOTIONS
    assert (who["task"], who["protocol"]) == ("csv", "session")


def test_a_long_recording_is_written_in_segments_and_drawn(model, ser, tmp_path):
    path, out, figure = tmp_path / "long.wav", tmp_path / "a.csv", tmp_path / "a.png"
    path.write_bytes(encoded(speech(3.0)))
    asked = ("predict", path, "--out", out, "--figure", figure, *model)
    for _ in range(2):  # what was written before is replaced
        status, said, err = ser(*asked)
        assert status == 0, err
        assert said == f"{out}: segments of 1 recordings, as csv\n"
    rows = pd.read_csv(out)
    assert rows["start_s"].iloc[0] == 0.0
    assert rows["end_s"].iloc[-1] == 3.0
    assert rows["synthetic"].all()
    assert figure.read_bytes().startswith(b"\x89PNG")
    _, text, _ = ser("predict", path, "--format", "audacity", *model)
    assert len(text.splitlines()) == len(rows)
    found = json.loads(ser("predict", path, "--json", *model)[1])
    assert [one["end_s"] for one in found["segments"]] == rows["end_s"].tolist()
    assert len(found["windows"]) > 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "xml"), "--format xml: there are text"),
        (("--json", "--format", "csv"), "two formats"),
        (("--out", "a.txt"), "names no format"),
        (("--figure", "a.gif"), "a figure ends in"),
        (("--set", "hop=1"), "hop"),
        (("--set", "hop_s=often"), "hop_s"),
        (("--out", "notes.csv"), "was not written by this command"),
        (("--out", "a.wav", "--format", "csv"), "is read by this command"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_model_is_fetched(
    project, ser, wav, monkeypatch, options, said
):
    monkeypatch.chdir(wav.parent)
    Path("notes.csv").write_text("mine")
    status, out, err = ser("predict", "a.wav", "--model", "models:/nobody@champion", *options)
    assert (status, out) == (1, "")
    assert said in err
    assert "nobody" not in err
    assert Path("notes.csv").read_text() == "mine"


def test_a_file_that_cannot_be_used_does_not_stop_the_others(model, ser, wav, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"nonsense")
    status, out, err = ser("predict", bad, wav, tmp_path / "none.wav", *model)
    assert status == 1
    assert len(out.splitlines()) == 1
    assert "bad.wav: unreadable: not audio" in err
    assert "none.wav: missing: there is no such file" in err
    assert "2 of 3 files cannot be used" in err
    assert "Traceback" not in err


def test_without_a_champion_the_cure_is_said(trained, ser, wav):
    status, _, err = ser("predict", wav, "--model", "models:/ser-none-session@champion")
    assert status == 1
    assert "`ser promote` makes it champion" in err


@pytest.fixture
def champion(trained):
    """The champion of params.yaml."""
    return champion_of("lstm-aam")


@pytest.mark.parametrize(
    "command",
    [("predict",), ("predict-batch", "--out", "x.parquet"), ("serve",), ("export", "--out", "x")],
)
def test_a_champion_of_other_recordings_answers_only_by_name(
    command, champion, ser, wav, monkeypatch
):
    monkeypatch.setattr(server.uvicorn, "run", lambda *_, **__: None)
    path = Project().manifest
    before = path.read_bytes()
    utterances = manifest.read(path)
    manifest.write(path, [replace(one, sha256=one.sha256[::-1]) for one in utterances])
    sources = {"predict": [wav], "predict-batch": [wav.parent]}
    asked = (command[0], *sources.get(command[0], []), *command[1:])
    try:
        status, out, err = ser(*asked)
    finally:
        path.write_bytes(before)
    assert status == 1
    assert "was tested on other recordings than" in err
    assert f"--model models:/{champion.name}/{champion.number}" in err
    assert out == ""


def test_the_champion_answers_under_its_number(champion, ser, wav, monkeypatch):
    _, out, _ = ser("predict", wav, "--json")
    uri = f"models:/{champion.name}/{champion.number}"
    assert json.loads(out)["model"] == uri
    monkeypatch.setattr(server.uvicorn, "run", lambda *_, **__: None)
    status, out, err = ser("serve")
    assert status == 0, err
    assert f"answers for {uri}" in out


def test_a_folder_is_answered_into_a_table(model, ser, wav, tmp_path):
    out_file = tmp_path / "answers.parquet"
    status, out, err = ser("predict-batch", wav.parent, "--out", out_file, *model)
    assert status == 0, err
    assert "1 recordings, 0 of them cannot be used" in out
    (answer,) = pd.read_parquet(out_file).to_dict("records")
    assert decision({**answer, "abstained": bool(answer["abstained"])}) in EMOTIONS


def test_a_model_is_exported_with_its_parity(model, ser, tmp_path):
    status, out, err = ser("export", "--out", tmp_path / "onnx", *model)
    assert status == 0, err
    assert "largest difference of a logit from the bundle's" in out
    assert (tmp_path / "onnx" / "model.onnx").is_file()
    status, out, _ = ser("export", "--format", "bundle", "--out", tmp_path / "bundle", *model)
    assert status == 0
    assert (tmp_path / "bundle" / "bundle.json").is_file()
    assert ser("export", "--format", "tflite", "--out", tmp_path, *model)[0] == 1


def test_a_full_disk_leaves_the_bundle_that_was_exported_before(model, ser, tmp_path, monkeypatch):
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "bundle.json").write_text("of yesterday")

    def full(source, target):
        if Path(source).name == "model.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(source, target)

    copy = files.shutil.copy
    monkeypatch.setattr(files.shutil, "copy", full)
    status, _, err = ser("export", "--format", "bundle", "--out", out, *model)
    assert status == 1
    assert "the disk is full" in err
    assert f"device: '{out / 'model.safetensors'}'" in err
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "bundle.json": "of yesterday"
    }
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_server_is_started_for_the_model(model, ser, monkeypatch):
    started = []
    monkeypatch.setattr(server.uvicorn, "run", lambda _, **options: started.append(options))
    status, out, err = ser("serve", "--port", "5999", "--max-connections", "7", *model)
    assert status == 0, err
    assert started == [
        {
            "host": "127.0.0.1",
            "port": 5999,
            "log_level": "warning",
            "http": TimedProtocol,
            "limit_concurrency": 8,
        }
    ]
    assert f"http://127.0.0.1:5999/ answers for {model[1]}" in out
    assert Path("mlruns/mlflow.db").exists()


def test_a_server_without_a_model_says_so_and_promises_nothing(trained, ser):
    status, out, err = ser("serve", "--model", "models:/ser-csv-session@nobody")
    assert (status, out) == (1, "")
    assert err.startswith("error: models:/ser-csv-session@nobody: cannot be fetched")
    assert "`ser promote`" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:5050", "nowhere", "model:/x@champion"])
def test_an_address_that_names_no_model_is_told_what_one_is(trained, ser, wav, address):
    status, _, err = ser("predict", wav, "--model", address)
    assert status == 1
    assert err.startswith(f"error: --model {address}: no address")
    assert err.count("\n") == 1


def test_an_exported_bundle_answers_as_the_model_does(model, ser, wav, tmp_path):
    status, _, err = ser("export", "--format", "bundle", "--out", tmp_path / "bundle", *model)
    assert status == 0, err
    answers = [
        json.loads(ser("predict", wav, "--json", *options)[1])
        for options in (model, ("--model", tmp_path / "bundle"))
    ]
    for named in ("model", "answered_by"):
        assert answers[0].pop(named) != answers[1].pop(named)
    assert answers[0] == answers[1]


def test_nothing_of_somebody_else_is_overwritten_and_no_model_fetched_for_it(ser, tmp_path):
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "notes.csv").write_text("mine")
    nobody = ("--model", "models:/nobody@champion")
    for command in (
        ("predict-batch", tmp_path, "--out", tmp_path / "notes.csv"),
        ("predict-batch", tmp_path, "--out", tmp_path / "notes"),
        ("export", "--out", tmp_path / "notes"),
        ("export", "--out", tmp_path, "--format", "bundle"),
        ("monitor", tmp_path, "--json", tmp_path / "notes"),
        ("monitor", tmp_path, "--page", tmp_path / "notes"),
        ("monitor", tmp_path / "notes", "--page", tmp_path / "notes"),
    ):
        status, out, err = ser(*command, *nobody)
        assert (status, out) == (1, "")
        assert err.startswith(f"error: {tmp_path}")
        assert "nobody" not in err
    assert (tmp_path / "notes").read_text() == "mine"


def test_several_workers_are_asked_for_with_what_was_compared(model, ser, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(workers, "serve", lambda place, **settings: asked.append((place, settings)))
    log = tmp_path / "log"
    status, out, err = ser("serve", "--workers", "2", "--port", "5051", "--log", log, *model)
    assert status == 0, err
    assert f"http://127.0.0.1:5051/ answers for {model[1]}" in out
    ((place, settings),) = asked
    assert place.name != "bundle"
    assert {"localhost", "127.0.0.1"} <= set(settings.pop("allowed_hosts"))
    assert settings == {
        "log": log,
        "num_workers": 2,
        "host": "127.0.0.1",
        "port": 5051,
        "max_connections": 100,
    }
