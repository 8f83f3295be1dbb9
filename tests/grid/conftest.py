import pytest

from tests import synthetic
from tests.grid.support import write_inputs


@pytest.fixture
def root(tmp_path, project, monkeypatch):
    """A project's root outside git, with the real source."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "ser").symlink_to(project / "ser")
    return tmp_path


@pytest.fixture
def paths(root):
    """Three sessions, so three folds, with every emotion in every part."""
    return write_inputs(root, synthetic.corpus(num_sessions=3))
