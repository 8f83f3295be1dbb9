"""What is costly to make is made once, however many processes run the tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made(
    name: str, make: Callable[[Path], object], factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """Return a folder that one process of this session fills and all of them read.

    Args:
        name: Of the folder; the same name is the same content.
        make: Fills the empty folder that it is given.
        factory: The session's temporary folders.
        worker_id: `master` where the tests run in one process.
    """
    base = factory.getbasetemp()
    # Every worker of pytest-xdist has a folder of its own, all below one of the session.
    folder = (base if worker_id == "master" else base.parent) / name
    done = folder.with_name(f"{name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
