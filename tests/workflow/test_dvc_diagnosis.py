"""What a killed DVC leaves is named and mended, and a living one's is left alone."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from dvc.lock import Lock

from ser.workflow import dvc_diagnosis

LOCK = "schema: '2.0'\nstages:\n  split:\n    cmd: python -m pipelines.split\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project that DVC has worked in."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text(LOCK)
    return tmp_path


@contextmanager
def living(*words, cwd=None):
    """A process with words on its command line."""
    code = "import time; print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, *words]
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def examine(root, *, fix=False):
    return list(dvc_diagnosis.examine(root, fix=fix))


def levels(root, *, fix=False):
    return [(finding.level, finding.what) for finding in examine(root, fix=fix)]


def used_by(root, **users):
    """Write DVC's list: name -> process that writes the path of that name."""
    path = root / ".dvc" / "tmp" / "rwlock"
    content = {str(root / name): {"pid": pid, "cmd": cmd} for name, (pid, cmd) in users.items()}
    readers = {str(root / "in"): list(content.values())}
    path.write_text(json.dumps({"write": content, "read": readers}))
    return path


def test_all_is_well_where_dvc_has_ended_and_where_it_never_worked(root, tmp_path):
    # A file of the lock that nobody holds is what every DVC leaves.
    (root / ".dvc" / "tmp" / "lock").write_text(" 1\n")
    (root / ".dvc" / "tmp" / "rwlock").write_text("{}")
    assert examine(root) == []
    never = tmp_path / "never"
    never.mkdir()
    assert examine(never) == []
    assert list(never.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (LOCK[:8], "is not what DVC wrote"),
        ("stages: {", "is not what DVC wrote"),
        (LOCK + "    deps:\n", "is not what DVC wrote"),
        ("schema: 2020-13-45\n", "is not what DVC wrote (month must be"),
    ],
)
def test_half_of_a_lock_file_is_named_and_then_removed(root, content, said):
    path = root / "dvc.lock"
    path.write_text(content)
    (finding,) = examine(root)
    assert (finding.level, finding.what) == ("fail", "dvc.lock")
    assert said in finding.detail
    assert "ser doctor --fix" in finding.cure
    assert path.read_text() == content
    assert levels(root, fix=True) == [("mend", "dvc.lock")]
    assert not path.exists()
    assert examine(root) == []


def test_the_last_commit_gives_the_lock_file_back(root):
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@nowhere"]
    subprocess.run([*git, "init", "-q"], cwd=root, check=True)
    subprocess.run([*git, "add", "dvc.lock"], cwd=root, check=True)
    subprocess.run([*git, "commit", "-qm", "lock"], cwd=root, check=True)
    (root / "dvc.lock").write_text("")
    (finding,) = examine(root, fix=True)
    assert "last commit" in finding.detail
    assert (root / "dvc.lock").read_text() == LOCK


@pytest.mark.parametrize("content", ["", "{", "[]", '{"write": {"a": 1}}', "[" * 100_000])
def test_a_damaged_list_of_paths_is_removed_where_no_dvc_works(root, content):
    path = root / ".dvc" / "tmp" / "rwlock"
    path.write_text(content)
    assert levels(root) == [("fail", "dvc")]
    assert path.exists()
    assert levels(root, fix=True) == [("mend", "dvc")]
    assert not path.exists()


def test_a_damaged_list_stays_while_a_dvc_works_here(root):
    path = root / ".dvc" / "tmp" / "rwlock"
    path.write_text("")
    with living("dvc", "repro", cwd=root) as pid:
        (finding,) = examine(root, fix=True)
        assert finding.level == "fail"
        assert f"process {pid}" in finding.cure
        assert path.exists()


def test_who_has_ended_is_taken_off_the_list_and_who_lives_is_not(root):
    with living("repro", "split") as pid, living("something", "else") as other:
        path = used_by(
            root,
            ended=(_dead(), "dvc repro split"),
            lives=(pid, "/bin/dvc repro split"),
            # The id of a process that was killed, and that another one has by now.
            reused=(other, "dvc repro split"),
        )
        found = examine(root)
        assert [finding.level for finding in found] == ["fail", "warn"]
        assert f"process {other}" in found[0].detail
        assert f"process {pid}" in found[1].detail
        assert levels(root, fix=True) == [("mend", "dvc"), ("warn", "dvc")]
        content = json.loads(path.read_text())
    assert list(content["write"]) == [str(root / "lives")]
    assert [user["pid"] for user in content["read"][str(root / "in")]] == [pid]


def test_who_began_after_the_list_was_written_is_not_in_it(root):
    with living("dvc", "repro") as pid:
        path = used_by(root, a=(pid, "dvc repro"))
        assert levels(root) == [("warn", "dvc")]
        an_hour_ago = time.time() - 3600
        os.utime(path, (an_hour_ago, an_hour_ago))
        assert levels(root) == [("fail", "dvc")]


def test_a_zombie_has_ended(root):
    process = subprocess.Popen([sys.executable, "-c", "", "dvc", "repro"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    used_by(root, a=(process.pid, "dvc repro"))
    assert levels(root, fix=True) == [("mend", "dvc")]
    process.wait()


def test_nothing_is_touched_while_a_dvc_holds_its_lock(root, monkeypatch):
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0.0)
    (root / "dvc.lock").write_text("")  # just now: it is amid writing
    lock = Lock(str(root / ".dvc" / "tmp" / "lock"))
    with lock:
        (finding,) = examine(root, fix=True)
    assert finding.level == "warn"
    assert f"process {os.getpid()}" in finding.detail
    assert (root / "dvc.lock").exists()


def _dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
