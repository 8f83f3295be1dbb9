import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from ser.errors import TuningError
from ser.tuning import storage as storages


def test_a_relative_path_starts_from_the_root(tmp_path, monkeypatch):
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    url = storages.resolve("sqlite:///mlruns/optuna.db", tmp_path)
    assert url == f"sqlite:///{tmp_path / 'mlruns' / 'optuna.db'}"
    assert storages.is_local(url)


def test_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTUNA_STORAGE", "mysql://host/studies")
    found = storages.resolve("sqlite:///mlruns/optuna.db", tmp_path)
    assert found == "mysql://host/studies"
    assert not storages.is_local(found)


def test_a_fresh_database_is_made_whole_and_lets_readers_and_a_writer_work(tmp_path):
    path = tmp_path / "deep" / "optuna.db"
    storages.connect(f"sqlite:///{path}").engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {"studies", "trials", "trial_heartbeats"} <= tables
    assert not list(path.parent.glob("*.part"))


@pytest.mark.stage
def test_processes_that_meet_a_fresh_database_together_do_not_break_it(project, tmp_path):
    code = "import sys; from ser.tuning import storage; storage.connect(sys.argv[1])"
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'optuna.db'}"]
    started = [subprocess.Popen(command, cwd=project) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]


def test_what_is_no_database_is_refused_with_the_cure(tmp_path):
    path = tmp_path / "optuna.db"
    path.write_text("no database")
    with pytest.raises(TuningError, match=r"optuna\.db: .* move a damaged file aside"):
        storages.connect(f"sqlite:///{path}")


def test_a_driver_that_is_not_installed_is_one_message_without_the_password():
    with pytest.raises(TuningError, match=r"mysql\+pymysql://ser:\*\*\*@host/studies: ") as caught:
        storages.connect("mysql+pymysql://ser:secret@host/studies")
    assert "secret" not in str(caught.value)
