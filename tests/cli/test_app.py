"""The command line: what its help lists, its exit status."""

import os
import resource
import signal
import subprocess
import sys
import time
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ser.cli import app

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_help_of_a_command_fills_the_width_of_its_terminal(width):
    """No line of it ends where the next word would have had room."""
    for command in app.app.registered_commands:
        name = command.callback.__name__.replace("_", "-")
        shown = CliRunner().invoke(app.app, [name, "--help"], env={"COLUMNS": str(width)})
        assert shown.exit_code == 0, name
        said = shown.output.partition("\u256d")[0]
        lines = [line.strip() for line in said.splitlines()]
        for line, following in pairwise(lines):
            first = following.partition(" ")[0]
            assert not line or not first or len(f" {line} {first}") > width - 2, (name, line)


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['ser', '--help']\n"
        "from ser.cli import app\n"
        "try: app.main()\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = {'torch', 'mlflow', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "print('status', status, 'heavy', sorted(heavy))"
    )
    seconds = []
    for _ in range(3):
        start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start)
    assert result.stdout.endswith("status 0 heavy []\n"), result.stdout + result.stderr
    for command in ("demo-corpus", "verify", "doctor", "tune", "register", "promote", "predict"):
        assert command in result.stdout
    # Of the processor, and the best of three: the machine may be busy with other tests.
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["verify"], ["ui", "--port", "x"], ["link-corpus", "emodb"]]
)
def test_wrong_usage_is_exit_status_2(ser, arguments):
    status, _, err = ser(*arguments)
    assert status == 2
    assert "Usage" in err


def test_the_version_is_that_of_the_package(ser):
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert ser("--version") == (0, f"ser, version {stated}\n", "")


def test_known_error_is_one_message_and_exit_status_1(ser, project):
    status, out, err = ser("verify", "0" * 32)
    assert status == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGTERM, 143, "stopped by SIGTERM"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_is_told_from_another_and_said(ser, project, monkeypatch, number, status, said):
    from ser.workflow import diagnosis

    def interrupted(*_, **__):
        os.kill(os.getpid(), number)
        time.sleep(5)

    monkeypatch.setattr(diagnosis, "diagnose", interrupted)
    # Where a shell started the tests in the background, Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found, _, err = ser("doctor")
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == status
    assert f"{said}; the same command takes up where this one ended" in err
