"""What is costly to make is made once, however many processes run the tests."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

#: Names a folder, empty before the first of several sessions of tests on the same source: what one
#: of them made, the next ones use.
VARIABLE = "SER_TESTS_MADE"


def made(
    name: str, make: Callable[[Path], object], factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """Return a folder that one process of this session fills and all of them read.

    So do the sessions that share the folder of `SER_TESTS_MADE`.

    Args:
        name: Of the folder; the same name is the same content.
        make: Fills the empty folder that it is given.
        factory: The session's temporary folders.
        worker_id: `master` where the tests run in one process.
    """
    base = factory.getbasetemp()
    # Every worker of pytest-xdist has a folder of its own, all below one of the session.
    own = base if worker_id == "master" else base.parent
    folder = Path(os.environ.get(VARIABLE, own)) / name
    done = folder.with_name(f"{name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
