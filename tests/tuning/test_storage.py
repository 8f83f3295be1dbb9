import sqlite3
import subprocess
import sys
from contextlib import closing

import optuna
import pytest
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage

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


class OfADriverError(Exception):
    """What a driver raises that is related to none of SQLAlchemy's errors."""


@pytest.mark.parametrize("error", [OfADriverError("gone\naway"), UnicodeError("row 7")])
def test_whatever_a_driver_raises_names_the_storage(storage, url, monkeypatch, error):
    study = optuna.create_study(storage=storage)

    def fail(*_, **__):
        raise error

    for name in ("_get_trials", "record_heartbeat"):
        monkeypatch.setattr(RDBStorage, name, fail)
    first = str(error).partition("\n")[0]
    for call in (lambda: study.trials, lambda: storage.record_heartbeat(0)):
        with pytest.raises(TuningError, match=f"^study storage {url}: {first}; correct"):
            call()


def test_what_cannot_even_be_opened_names_the_storage(monkeypatch):
    def fail(*_, **__):
        raise OfADriverError("no route")

    monkeypatch.setattr(RDBStorage, "__init__", fail)
    with pytest.raises(TuningError, match=r"^study storage mysql://host/studies: no route; "):
        storages.connect("mysql://host/studies")


def test_a_driver_that_is_not_installed_is_named_with_the_one_that_is_brought(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(TuningError, match=r"psycopg.*postgresql\+psycopg2://\.\.\.$"):
        storages.connect("postgresql+psycopg://host/studies")


def test_a_failure_of_the_database_is_said_in_its_own_words(storage, monkeypatch):
    study = optuna.create_study(storage=storage)
    with closing(sqlite3.connect(storages.sqlite.file_of(storage.url))) as connection:
        connection.execute("DROP TABLE study_user_attributes")
    with pytest.raises(TuningError, match="no such table: study_user_attributes"):
        study.set_user_attr("a", 1)


def test_what_optuna_promises_of_a_storage_stays(storage):
    storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
    with pytest.raises(DuplicatedStudyError):
        storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
    with pytest.raises(KeyError):
        storage.get_study_id_from_name("none")


def test_a_disk_without_room_for_the_log_is_full_and_no_damaged_file(storage, monkeypatch):
    monkeypatch.setattr(storages.sqlite, "_LITTLE_BYTES", 2**63)

    def fail(*_, **__):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(RDBStorage, "get_all_trials", fail)
    with pytest.raises(OSError, match="No space left on device"):
        storage.get_all_trials(0)
