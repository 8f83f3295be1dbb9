"""The way from training to the champion with a tracking server, as on the project's database.

Runs, registry and artifacts are the server's: no path of this machine leads to them.
"""

import json
import socket
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from pipelines import train, tune
from ser.cell_folders import CellFolder
from ser.project import Project
from ser.promotion import stand_ins
from ser.registry import versions
from ser.registry.versions import CHALLENGER, CHAMPION
from ser.tracking import cells, mlflow_tracker, stale, store
from tests import trained_project
from tests.promotion.support import NAME
from tests.serving.support import as_base64, encoded, recordings, speech

EMOTIONS = {"angry", "happy", "neutral", "sad"}


@pytest.fixture
def shared(trained, tracking_server, monkeypatch):
    """The small trained project, with its runs on the server."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_server)
    for cell in Project().scored_cells():
        cells.restore(cell, mlflow_tracker.open_experiment)
    return tracking_server


@pytest.fixture
def quick(monkeypatch, warm):
    """Let the gates ask the challenger alone, about few utterances."""
    monkeypatch.setattr(stand_ins, "of", lambda *_: iter(()))
    before = Path("params.yaml").read_text()
    Path("params.yaml").write_text(f"{before}\ngates: {{num_utterances: 4}}\n")
    yield
    Path("params.yaml").write_text(before)


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(speech(0.5)))
    return path


def done(ser, *arguments):
    """Run a command that must succeed; give what it said."""
    status, out, err = ser(*arguments)
    assert status == 0, err
    return out


def test_runs_come_back_once_and_lead_to_their_files(shared, ser):
    assert store.database_path(shared) is None
    out = done(ser, "restore-runs")
    assert out.endswith("0 runs restored from 5 cells\n")
    record = cells.read(CellFolder(Path("runs/lstm-aam")))
    run_id = mlflow_tracker.open_experiment(
        record.experiment, note=record.note, tags=record.experiment_tags
    ).run_id(record.cell.spec.run_key)
    artifacts = store.connect(shared).get_run(run_id).info.artifact_uri
    assert artifacts.startswith("mlflow-artifacts:/")
    assert "checks agree" in done(ser, "verify", run_id)
    assert stale.stale_runs(Path()) == []
    assert not Path("mlflow-artifacts:").exists()


def test_a_cell_is_one_version_judged_promoted_and_rolled_back(shared, ser, quick, request):
    first = done(ser, "register", "lstm-aam", "--fold", "1")
    again = done(ser, "register", "lstm-aam", "--fold", "1")
    assert first.endswith(" registered, challenger\n")
    assert again.partition(":")[0] == first.partition(":")[0]
    assert again.endswith(" was registered before, challenger\n")
    status, out, err = ser("promote")
    assert status == 1
    assert "is refused by: " in err
    measured = {line.split()[0]: line for line in out.splitlines() if " pass" in line}
    assert {"served_equals_tracked", "latency", "lineage", "leakage_audit"} <= measured.keys()
    request.getfixturevalue("evidence")()
    assert "is champion; before: " in done(ser, "promote")
    done(ser, "register", "lstm-aam", "--fold", "2")
    assert "is champion; before: version " in done(ser, "promote")
    registry = versions.open_registry(Path())
    champion = registry.require(NAME, CHAMPION)
    assert champion.tags["ser.fold"] == "2"
    assert champion.tags["ser.decision"] == "promoted"
    assert registry.resolve(NAME, CHALLENGER) is None
    assert "is champion again" in done(ser, "rollback")
    assert registry.require(NAME, CHAMPION).tags["ser.fold"] == "1"


def test_the_model_answers_in_every_way(shared, ser, wav, tmp_path, monkeypatch):
    # To send a model takes a request per file: the one that is there already is taken.
    done(ser, "register", "lstm-aam", "--fold", "1")
    model = ("--model", f"models:/{NAME}@challenger")
    answer = json.loads(done(ser, "predict", wav, "--json", *model))
    assert answer["probabilities"].keys() == EMOTIONS
    done(ser, "predict-batch", wav.parent, "--out", tmp_path / "answers.parquet", *model)
    done(ser, "export", "--format", "bundle", "--out", tmp_path / "exported", *model)
    assert (tmp_path / "exported" / "bundle.json").is_file()
    source = next(iter(recordings(Path()).values())).parent
    assert "recordings" in done(ser, "monitor", source, "--speakers", "6", *model)
    answers = []

    def run(app, **_):
        body = {"inputs": [{"audio": as_base64(wav.read_bytes())}]}
        client = TestClient(app, base_url="http://localhost")
        answers.extend(client.post("/invocations", json=body).json()["predictions"])

    monkeypatch.setattr(uvicorn, "run", run)
    done(ser, "serve", *model)
    served = {name: answers[0][f"probability_{name}"] for name in EMOTIONS}
    assert served == pytest.approx(answer["probabilities"], abs=1e-6)


def test_training_and_tuning_are_recorded(trained, tracking_server, monkeypatch, tmp_path):
    trained_project.enter(trained_project.copy(trained, tmp_path / "project"), monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_server)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    focal = "{model: lstm, loss: focal, feature: mfcc}"
    # Another seed than the runs that other tests bring to the server.
    text = Path("params.yaml").read_text().replace("seeds: [0]", "seeds: [7]")
    text = text.replace("\ncells:\n", f"\ncells:\n  lstm-focal: {focal}\n")
    chosen = f"tuning: {{num_trials: 1, cells: {{lstm-focal: {focal}}}}}"
    text = text.replace("tuning: {cells: {}}", chosen)
    Path("params.yaml").write_text(text)
    assert tune.main(["mfcc"]) == 0
    assert train.main(["lstm-focal"]) == 0
    client = store.connect(tracking_server)
    for name, expected in (("ser/csv/session/tuning", 3 + 3), ("ser/csv/session", 1 + 3)):
        experiment = client.get_experiment_by_name(name)
        runs = client.search_runs([experiment.experiment_id], "tags.`ser.loss` = 'focal'")
        own = [run for run in runs if run.data.tags["ser.model"] == "lstm"]
        assert len(own) == expected
        assert {run.info.status for run in own} == {"FINISHED"}


def test_a_server_that_has_gone_is_one_sentence(shared, ser, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free.getsockname()[1]}")
    for command in (("register", "lstm-aam"), ("promote",), ("rollback",), ("predict", "a.wav")):
        status, _, err = ser(*command)
        assert status == 1
        assert "no answer" in err
        assert "Traceback" not in err
