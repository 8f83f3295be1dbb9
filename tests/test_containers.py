"""What can be said of the container files without a daemon that builds them."""

import re

import pytest
import yaml
from starlette.testclient import TestClient

from tests.serving import stand_in


@pytest.fixture(scope="module")
def stages(project):
    """Name of a stage of the Dockerfile -> its instructions."""
    text = (project / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    parts = re.split(r"^FROM (\S+) AS (\S+)$", text, flags=re.MULTILINE)[1:]
    found = {}
    for source, name, body in zip(*(parts[k::3] for k in range(3)), strict=True):
        found[name] = found.get(source, []) + [line for line in body.splitlines() if line.strip()]
    return found


@pytest.fixture(scope="module")
def compose(project):
    return yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", ["server", "tracking"])
def test_an_image_runs_as_a_plain_user_with_pinned_versions(stages, stage):
    lines = stages[stage]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001"]
    assert any("useradd" in line and "--uid 10001" in line for line in lines)
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--constraint constraints.txt" in line for line in installs)
    assert not any(line.startswith("ADD ") for line in lines)


def test_an_image_asks_for_health_where_the_server_says_it(stages):
    (check,) = re.findall(r"http://127.0.0.1:5050(/[a-z]+)", " ".join(stages["server"]))
    assert TestClient(stand_in.application()).get(check).json() == {"status": "ok"}
    (entry,) = (line for line in stages["server"] if line.startswith("ENTRYPOINT"))
    assert '"--port", "5050"' in entry


def test_what_an_image_copies_is_there_and_let_through(project, stages):
    allowed = set((project / ".dockerignore").read_text(encoding="utf-8").splitlines())
    assert "*" in allowed
    copied = [line.split()[1:-1] for line in stages["server"] if line.startswith("COPY ")]
    for name in (name for names in copied for name in names):
        assert (project / name).exists()
        assert f"!{name}" in allowed


def test_the_services_find_each_other_and_are_open_to_this_machine_alone(stages, compose):
    services = compose["services"]
    assert {services[name]["build"]["target"] for name in ("server", "tracking")} < set(stages)
    uri = services["server"]["environment"]["MLFLOW_TRACKING_URI"]
    host = uri.removeprefix("http://")
    assert host.partition(":")[0] in services
    (hosts,) = (w for w in services["tracking"]["command"] if w.startswith("--allowed-hosts="))
    assert host in hosts.partition("=")[2].split(",")
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    named = {v.partition(":")[0] for s in services.values() for v in s.get("volumes", [])}
    assert named == set(compose["volumes"])


def test_no_password_is_written_down(project):
    text = (project / "compose.yaml").read_text(encoding="utf-8")
    values = re.findall(r"PASSWORD: (.*)|://mlflow:(.*?)@", text)
    assert values
    assert all((one or other).startswith("${POSTGRES_PASSWORD") for one, other in values)
