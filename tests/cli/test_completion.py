"""What a shell is told, by a process of its own, as a shell asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ser verif", ["verify"]),
        ("ser train lstm-c", ["lstm-cross_entropy", "lstm-ccc"]),
        ("ser verify whisper-f", ["whisper-focal"]),
        ("ser use emodb-7", ["emodb-7", "emodb-7-frames"]),
    ],
)
def test_a_shell_is_offered_commands_cells_and_presets(words, offered):
    assert sorted(completed(words, ROOT)) == sorted(offered)


def test_without_params_a_shell_is_offered_no_cells(tmp_path):
    assert completed("ser train l", tmp_path) == []


def completed(words, folder):
    """What bash is told, as the function asks that `ser --show-completion` prints."""
    asked = {
        "_SER_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "PYTHONPATH": str(ROOT),
    }
    code = "import sys; sys.argv = ['ser']; from ser.cli import app; app.main()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **asked}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()
