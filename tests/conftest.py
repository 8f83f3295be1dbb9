"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest

from ser import runtime

runtime.configure()


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def emodb_root(project: Path) -> Path:
    """The real EmoDB recordings, where this machine has them."""
    root = Path(os.environ.get("SER_EMODB", project.parent / "shared" / "data" / "emodb"))
    if not (root / "wav").is_dir():
        pytest.skip(f"no EmoDB at {root}; set SER_EMODB to its folder to run this test")
    return root
