import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import psutil
import pytest
from uvicorn.config import STARTUP_FAILURE

from ser.errors import RegistryError
from ser.registry import model_files
from ser.serving import meters, server, workers
from tests.promotion.support import known_version
from tests.serving.support import encoded, speech


@pytest.fixture
def model(tmp_path):
    """A folder with files, as a model has them."""
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "code" / "a.py").write_text("pass")
    return folder


class Supervisor:
    """In place of uvicorn's: it starts nothing, and keeps what the workers would be told."""

    exitcode = 0

    def __init__(self, config, sockets):
        self.config, self.processes = config, [self]
        Supervisor.last = self
        for one in sockets:
            one.close()

    def run(self):
        self.told = dict(os.environ)
        self.has_folder = os.path.isdir(os.environ[meters.SHARED_FOLDER])  # noqa: PTH112


@pytest.fixture
def supervisor(monkeypatch):
    monkeypatch.setattr(workers, "Multiprocess", Supervisor)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(workers.runtime, "num_processors", lambda: 8)
    return Supervisor


def serve(model, **changed):
    settings = {
        "log": None,
        "allowed_hosts": ("a.example",),
        "host": "127.0.0.1",
        "port": 0,
        "max_connections": 100,
    }
    workers.serve(model, num_workers=3, **{**settings, **changed})


def test_workers_are_told_which_model_and_where_they_count(model, supervisor, tmp_path):
    before = dict(os.environ)
    serve(model, log=tmp_path / "log")
    told = supervisor.last.told
    sha256 = model_files.digest(model_files.listing(model))
    expected = {
        "model": str(model),
        "sha256": sha256,
        "log": str(tmp_path / "log"),
        "allowed_hosts": ["a.example"],
    }
    assert json.loads(told[workers.SETTINGS]) == expected
    assert supervisor.last.has_folder
    assert told["OMP_NUM_THREADS"] == "2"
    assert dict(os.environ) == before


def test_workers_share_the_clients_among_them(model, supervisor):
    serve(model)
    config = supervisor.last.config
    assert config.workers == 3
    assert config.limit_concurrency == 35
    assert config.http is server.UVICORN["http"]


def test_a_worker_that_cannot_begin_ends_the_command_with_an_error(model, supervisor, monkeypatch):
    monkeypatch.setattr(supervisor, "exitcode", STARTUP_FAILURE)
    with pytest.raises(RegistryError, match="stands above"):
        serve(model)


def begin(model, sha256, monkeypatch):
    told = {"model": str(model), "sha256": sha256, "log": None, "allowed_hosts": ["localhost"]}
    monkeypatch.setenv(workers.SETTINGS, json.dumps(told))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return workers.application()


def test_a_worker_loads_nothing_of_a_model_that_was_changed(model, monkeypatch, capsys):
    loaded = []
    monkeypatch.setattr(server, "build", lambda *args, **_: loaded.append(args))
    sha256 = model_files.digest(model_files.listing(model))
    begin(model, sha256, monkeypatch)
    assert loaded == [(model,)]
    (model / "code" / "a.py").write_text("import os")
    with pytest.raises(SystemExit) as ended:
        begin(model, sha256, monkeypatch)
    assert ended.value.code == STARTUP_FAILURE
    assert len(loaded) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {model}: its files were changed")
    assert sha256 in said


def test_a_model_that_cannot_be_loaded_is_told_in_one_line(model, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        begin(model, model_files.digest(model_files.listing(model)), monkeypatch)
    (line,) = capsys.readouterr().err.splitlines()
    assert "the model cannot be loaded" in line


def get(port, place, body=None):
    """Status and text of an answer; a connection of its own, so that any worker may take it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "audio/wav"})
    connection.request(method, place, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def wait(port, process, seconds=180):
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            return get(port, "/health")
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer; exit status {process.poll()}")


def answering(process):
    """The workers: what has been started to listen."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.system
def test_two_processes_answer_count_together_and_are_replaced(trained):
    version = known_version("lstm-aam")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = "import sys; from ser.cli.app import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "serve", "--workers", "2", "--port", str(port)]
    command += ["--model", f"models:/{version.name}/{version.number}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            wait(port, process)
            assert len(answering(process)) == 2
            content = encoded(speech(0.5))
            answers = {get(port, "/predict", content) for _ in range(6)}
            assert [status for status, _ in answers] == [200]
            counted = 'ser_requests_total{path="/predict",status="200"} 6.0'
            assert all(counted in get(port, "/metrics")[1] for _ in range(6))
            first = answering(process)[0]
            first.kill()
            first.wait()
            until = time.monotonic() + 60
            while len(answering(process)) < 2 and time.monotonic() < until:
                time.sleep(0.2)
            assert len(answering(process)) == 2
            assert counted in get(port, "/metrics")[1]
            assert get(port, "/predict", content) in answers
            members = answering(process)
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert not any(member.is_running() for member in members)
