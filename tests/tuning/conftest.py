import shutil

import pytest

from ser.tuning import storage as storages
from tests import synthetic
from tests.grid.support import write_inputs


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory):
    """An empty storage; making its tables takes longer than most tests here."""
    path = tmp_path_factory.mktemp("optuna") / "optuna.db"
    storages.connect(f"sqlite:///{path}").engine.dispose()
    return path


@pytest.fixture
def url(fresh_database, tmp_path, monkeypatch):
    """URL of a storage of this test alone."""
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    shutil.copy(fresh_database, tmp_path / "optuna.db")
    return f"sqlite:///{tmp_path / 'optuna.db'}"


@pytest.fixture
def storage(url):
    found = storages.connect(url)
    yield found
    found.engine.dispose()


@pytest.fixture
def root(tmp_path, project, monkeypatch):
    """A project's root outside git, with the real source."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "ser").symlink_to(project / "ser")
    return tmp_path


@pytest.fixture
def paths(root):
    """Three sessions, so three folds."""
    return write_inputs(root, synthetic.corpus(num_sessions=3))
