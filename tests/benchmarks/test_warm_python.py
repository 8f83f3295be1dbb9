"""A warm process is a process like any other, but for the imports that it has done already."""

import os
import signal
import subprocess
import time

import pytest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(
        "import sys, torch\nprint(sys.argv, file=sys.stderr)\nprint('out')\nsys.exit(3)\n"
    )
    return tmp_path


def run(python, *arguments, **options):
    return subprocess.run(
        [python.executable, *arguments], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (("-m", "program"), "program.py"),
        (("program.py",), "program.py"),
        (("-c", "import program"), "-c"),
    ],
)
def test_a_program_has_its_arguments_its_output_and_its_exit_status(python, folder, program, name):
    done = run(python, *program, "one", "two", cwd=folder)
    assert done.returncode == 3
    assert done.stdout == "out\n"
    assert done.stderr.endswith(f"{name}', 'one', 'two']\n")


def test_a_program_has_the_environment_and_the_folder_of_its_caller_and_an_id_of_its_own(
    python, tmp_path
):
    code = "import os, sys; print(os.environ, os.getcwd(), os.getpid(), 'ser' in sys.modules)"
    first, second = (run(python, "-c", code, cwd=tmp_path, env={"A": "b"}) for _ in range(2))
    environment, folder, pid, has_ser = first.stdout.rsplit(maxsplit=3)
    assert environment.startswith("environ({'A': 'b'")
    assert "HOME" not in environment
    assert folder == os.path.realpath(tmp_path)
    assert pid != second.stdout.split()[-2]
    assert has_ser == "False"


def test_an_error_is_told_with_its_traceback_and_exit_status_1(python, tmp_path):
    done = run(python, "-c", "1 / 0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_kill_minus_9_ends_it_at_once_wherever_it_is(python, tmp_path):
    code = "import time, pathlib; pathlib.Path('begun').touch(); time.sleep(600)"
    process = python.start(["-c", code], cwd=tmp_path, env=dict(os.environ))
    limit = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_signal_reaches_the_caller_as_a_shell_says_it(python, tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run(python, "-c", code, cwd=tmp_path).returncode == 128 + signal.SIGTERM
