"""The corpus of the small trained project without one of its recordings."""

from contextlib import contextmanager
from pathlib import Path

import pytest

CORPUS = Path("data/raw/csv")


@pytest.fixture
def lost():
    """Take a recording away for a while."""

    @contextmanager
    def take_away(name):
        aside = (CORPUS / name).rename(CORPUS / f".{name}")
        try:
            yield
        finally:
            aside.rename(CORPUS / name)

    return take_away
