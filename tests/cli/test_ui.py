"""`ser ui`: MLflow's page, opened on the leaderboard."""

import socket
import sys

import pytest

from ser.contracts import RunSpec

PARAMS = "configs/emodb.yaml"


@pytest.fixture
def started(monkeypatch):
    """Programs that would have taken this one's place."""
    found = []
    monkeypatch.setattr("os.execve", lambda *arguments: found.append(arguments))
    return found


@pytest.fixture
def opened(monkeypatch):
    """Programs that would have run beside it."""
    found = []
    monkeypatch.setattr("subprocess.Popen", lambda command: found.append(command))
    return found


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_initialises_the_store_and_becomes_a_light_server(ser, project, started, port):
    status, out, err = ser("ui", "--port", port)
    ((program, command, environment),) = started
    assert status == 0
    assert f"http://127.0.0.1:{port} shows" in out
    assert "params.yaml" in err
    assert program == sys.executable
    uri = f"sqlite:///{project}/mlruns/mlflow.db"
    assert command[1:] == [
        *("-m", "mlflow", "ui", "--backend-store-uri", uri),
        *("--host", "127.0.0.1", "--port", str(port), "-w", "1"),
    ]
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert (project / "mlruns" / "mlflow.db").exists()


def test_a_taken_port_is_said_and_nothing_is_started(ser, project, started):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = ser("ui", "--port", port)
    assert status == 1
    assert not started
    assert "http" not in out
    assert f"port {port}: cannot listen at 127.0.0.1:{port}: Address already in use" in err
    assert f"`ser ui --port {port % 65535 + 1}`" in err
    assert "Traceback" not in err


def test_the_address_is_the_leaderboard_of_the_params(ser, project, started, opened, port, request):
    from ser.tracking import views
    from ser.tracking.mlflow_tracker import open_experiment

    (project / "params.yaml").write_bytes((request.config.rootpath / PARAMS).read_bytes())
    status, out, _ = ser("ui", "--port", port)
    assert status == 0
    assert "ser/emodb/session: no run yet" in out
    experiment = open_experiment("ser/emodb/session", note="n", tags={views.HEADLINE: "test/uar"})
    with experiment.run(RunSpec("cell", "key", {"ser.fold": "all"}, {})):
        pass
    base = f"http://127.0.0.1:{port}"
    address = views.address(experiment.experiment_id, base=base)
    status, out, _ = ser("ui", "--port", port, "--browser")
    assert status == 0
    assert out.startswith(f"{address} shows sqlite:")
    assert [command[1:] for command in opened] == [["-m", "ser.cli.browser", base, address]]


def test_no_browser_is_started_where_nobody_looks(ser, project, started, opened, port, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    assert ser("ui", "--port", port)[0] == 0  # its output is no terminal
    assert not opened
