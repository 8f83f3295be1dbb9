import shutil

import pytest

from ser.tuning import storage as storages


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
