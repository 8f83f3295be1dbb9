"""Commands of a project in a folder of its own, as a person would give them there."""

import os
import subprocess
import sys
from pathlib import Path

from ser.errors import SerError

_ROOT = Path(__file__).resolve().parents[1]

DVC = (sys.executable, "-m", "dvc")
SER = (sys.executable, "-c", "from ser.cli.app import main; main()")

_MAX_SAID = 2000


def call(folder: Path, *command: str) -> None:
    """Run a command and wait for its end.

    Args:
        folder: Its working directory. Code that lies there is imported before this checkout's.
        command: Program and arguments.

    Raises:
        SerError: It failed; with the end of what it said.
    """
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(folder), str(_ROOT)]),
        "DVC_SITE_CACHE_DIR": str(folder / ".site-cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **own},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SerError(f"{' '.join(command)} failed: {done.stdout[-_MAX_SAID:]}")


def init_dvc(folder: Path) -> None:
    """Make a folder a project of DVC, without git and with this checkout's settings."""
    call(folder, *DVC, "init", "--no-scm", "--quiet")
    settings = (_ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    own = settings.replace("[core]\n", "[core]\n    no_scm = true\n")
    (folder / ".dvc" / "config").write_text(own, encoding="utf-8")
