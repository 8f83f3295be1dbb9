"""What a program imports, told by a process that has imported nothing before."""

import os
import subprocess
import sys

_SHOW = "\nimport sys\nprint('modules:', *sorted(sys.modules))"


def modules_after(program, cwd=None):
    """Names of the modules that a new process has after a program; it must succeed."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("COV_")}
    done = subprocess.run(
        [sys.executable, "-c", program + _SHOW],
        cwd=cwd,
        env=outside | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("modules: ")[2].split())
