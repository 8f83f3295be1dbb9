import logging
import shutil
import signal
import sqlite3 as driver
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from ser import runtime, sqlite


def make_table(path):
    with closing(driver.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE made (x)")
        connection.execute("INSERT INTO made VALUES (1)")


def rows(path):
    with closing(driver.connect(path)) as connection:
        return connection.execute("SELECT x FROM made").fetchall()


def test_a_database_that_is_not_there_is_made_once(tmp_path):
    path = tmp_path / "deep" / "a.db"
    with sqlite.opening(path, make_table):
        assert rows(path) == [(1,)]
    with sqlite.opening(path, lambda _: pytest.fail("it is there")):
        assert rows(path) == [(1,)]
    assert not list(path.parent.glob("*.part"))


def test_an_empty_file_is_no_database_yet(tmp_path):
    path = tmp_path / "a.db"
    path.touch()
    with sqlite.opening(path, make_table):
        assert rows(path) == [(1,)]


def test_a_full_disk_is_told_from_a_broken_database(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    sqlite.require_space(path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    with pytest.raises(OSError, match="No space left on device") as caught:
        sqlite.require_space(path)
    assert runtime.disk_full(caught.value)


def test_a_disk_that_gets_full_on_the_way_leaves_nothing(tmp_path, monkeypatch):
    def full(made):
        make_table(made)
        monkeypatch.setattr(sqlite, "closing", fail)

    def fail(connection):
        connection.execute("PRAGMA user_version")
        connection.close()
        raise driver.OperationalError("database or disk is full")

    path = tmp_path / "a.db"
    with pytest.raises(driver.OperationalError, match="full"), sqlite.opening(path, full):
        pass
    assert [left.name for left in tmp_path.glob("*") if left.suffix != ".lock"] == []


def test_a_process_that_is_killed_while_it_makes_one_leaves_none(tmp_path):
    path = tmp_path / "a.db"
    code = (
        "import os, signal, sqlite3, sys\n"
        "from pathlib import Path\n"
        "from ser import sqlite\n"
        "def die(scratch):\n"
        "    sqlite3.connect(scratch).execute('CREATE TABLE made (x)')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "with sqlite.opening(Path(sys.argv[1]), die): pass\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert not path.exists()
    with sqlite.opening(path, make_table):
        assert rows(path) == [(1,)]


def test_only_one_process_at_a_time_opens_it(tmp_path):
    path = tmp_path / "a.db"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from filelock import FileLock, Timeout\n"
        "from ser import sqlite\n"
        "sqlite.FileLock = lambda lock: FileLock(lock, timeout=0.1)\n"
        "try:\n"
        "    with sqlite.opening(Path(sys.argv[1]), print): pass\n"
        "except Timeout:\n"
        "    raise SystemExit(7)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    with sqlite.opening(path, make_table):
        assert subprocess.run(command, check=False).returncode == 7
    assert subprocess.run(command, check=False).returncode == 0


def test_the_write_ahead_log_is_switched_on(tmp_path):
    path = tmp_path / "a.db"
    with closing(driver.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    sqlite.use_write_ahead_log(path)
    with closing(driver.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_where_it_is_refused_there_is_a_warning_and_no_error(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_TIMEOUT_S", 0.1)
    path = tmp_path / "a.db"
    with closing(driver.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with caplog.at_level(logging.WARNING):
            sqlite.use_write_ahead_log(path)
    assert f"database {path}: no write-ahead log: database is locked" in caplog.text
