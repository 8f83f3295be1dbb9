"""What a killed DVC leaves behind, and how it is mended without losing a result.

DVC rewrites `dvc.lock` and `.dvc/tmp/rwlock` in place, so a kill or a full disk can leave
nothing or half of them, and it takes a path as in use as long as any process has the id that
stands in `rwlock`. Both files are looked at, and changed, only while this process holds DVC's own
two file locks: the operating system gives these to one process and takes them back when that
process ends, so whoever gets them knows that no other DVC is amid a file.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dvc.lock import Lock, LockError
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK
from dvc.rwlock import SCHEMA as RWLOCK_SCHEMA
from dvc.schema import COMPILED_LOCKFILE_SCHEMA

from ser import files, processes
from ser.errors import PipelineError, translating
from ser.project import Project
from ser.workflow.finding import Finding

#: Name of DVC's lock of the whole repository, below `.dvc/tmp`.
_LOCK = "lock"

_WAIT = "wait until it is done, or end it, and run `ser doctor` again"


def examine(root: Path, *, fix: bool = False) -> Iterator[Finding]:
    """Look at dvc.lock and at DVC's list of the paths that are in use.

    Args:
        root: The project's root.
        fix: Mend what is damaged, where no other process works on it.

    Yields:
        A finding for each that is damaged, mended or in use; none where all is well.
    """
    folder = root / ".dvc" / "tmp"
    with _alone(folder) as is_alone:
        if not is_alone:
            yield Finding("warn", "dvc", f"another DVC works here{_holder(folder)}", _WAIT)
            return
        yield from _lock_file(root, fix=fix)
        yield from _paths_in_use(root, folder / RWLOCK_FILE, fix=fix)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold DVC's locks; give False where another process has held one of them for seconds."""
    with ExitStack() as held:
        # Without the folder no DVC has ever worked here, and looking shall make nothing.
        for name in (_LOCK, RWLOCK_LOCK) if folder.is_dir() else ():
            try:
                held.enter_context(Lock(str(folder / name)))
            except LockError:
                yield False
                return
        yield True


def _holder(folder: Path) -> str:
    """Return who holds DVC's lock, as far as its file says it."""
    try:
        pid = (folder / _LOCK).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        pid = ""
    return f" (process {pid})" if pid else ""


def _lock_file(root: Path, *, fix: bool) -> Iterator[Finding]:
    """Look at dvc.lock. What it says is in DVC's run cache too, from where it comes back."""
    path = Project(root).lock
    problem = _problem_of_lock_file(path)
    if problem is None:
        return
    if not fix:
        cure = "`ser doctor --fix`, then `make repro`: what is trained stays"
        yield Finding("fail", path.name, problem, cure)
        return
    committed = _committed(root, path.name)
    if committed is None:
        path.unlink()
        how = "removed"
    else:
        files.write_text(path, committed)
        how = "replaced by the last commit's"
    detail = f"{problem}; {how}. `make repro` fills it from DVC's cache: what is trained stays"
    yield Finding("mend", path.name, detail)


def _problem_of_lock_file(path: Path) -> str | None:
    """Return what is wrong with dvc.lock, as DVC reads it; None where nothing is."""
    if not path.exists():
        return None
    try:
        return _problem_of_text(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read ({error})"


def _problem_of_text(text: str) -> str | None:
    if not text.strip():
        return "is empty: a DVC was killed, or the disk was full, while it was written"
    # The C parser where there is one: of some hundred kB, the other takes seconds.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with translating(_not_dvc_s):
            COMPILED_LOCKFILE_SCHEMA(yaml.load(text, Loader=loader))  # noqa: S506 (a safe one)
    except PipelineError as error:
        return str(error)
    return None


def _not_dvc_s(error: Exception) -> PipelineError:
    first = str(error).partition("\n")[0] or type(error).__name__
    return PipelineError(f"is not what DVC wrote ({first}): it ends early, or somebody changed it")


def _committed(root: Path, name: str) -> str | None:
    """Return a file of the last commit, None where there is none or where it is damaged too."""
    command = ["git", "show", f"HEAD:./{name}"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    text = done.stdout.decode("utf-8", "replace")
    return text if done.returncode == 0 and _problem_of_text(text) is None else None


@dataclass(frozen=True, slots=True)
class _User:
    """A process that uses paths, as DVC writes it down.

    Args:
        pid: Its id.
        cmd: Its words, joined.
    """

    pid: int
    cmd: str


def _paths_in_use(root: Path, path: Path, *, fix: bool) -> Iterator[Finding]:
    """Look at DVC's list of the paths that are read and written just now."""
    if not path.exists():
        return
    shown = path.relative_to(root)
    try:
        with translating(_not_dvc_s):
            content = RWLOCK_SCHEMA(json.loads(path.read_text(encoding="utf-8")))
    except PipelineError:
        yield from _damaged_list(root, path, fix=fix)
        return
    # Nobody who began after the list was written last can be in it.
    written_at = path.stat().st_mtime
    users = _users(content)
    gone = {user for user in users if not _is_at_work(user, written_at)}
    if gone:
        names = ", ".join(f"{user.cmd!r} (process {user.pid})" for user in _sorted(gone))
        detail = f"{shown} says that {names} works here, which has ended"
        if fix:
            files.write_json(path, _without(content, gone))
            yield Finding("mend", "dvc", f"{detail}; taken off the list")
        else:
            yield Finding("fail", "dvc", detail, "`ser doctor --fix` takes it off the list")
    for user in _sorted(users - gone):
        yield Finding("warn", "dvc", f"{user.cmd!r} (process {user.pid}) works here", _WAIT)


def _damaged_list(root: Path, path: Path, *, fix: bool) -> Iterator[Finding]:
    """A list that nobody can read: remove it where no process could be in it."""
    detail = f"{path.relative_to(root)} is empty or damaged: DVC refuses to work"
    living = [pid for pid in processes.working_in(root) if processes.mentions(pid, "dvc")]
    if living:
        shown = ", ".join(map(str, living))
        cure = f"end the DVC that works here (process {shown}), then `ser doctor --fix`"
        yield Finding("fail", "dvc", detail, cure)
    elif fix:
        path.unlink()
        yield Finding("mend", "dvc", f"{detail}; removed, since no DVC works here")
    else:
        yield Finding("fail", "dvc", detail, "`ser doctor --fix` removes it")


def _users(content: Mapping[str, Any]) -> set[_User]:
    readers = [user for users in content["read"].values() for user in users]
    return {_User(user["pid"], user["cmd"]) for user in [*readers, *content["write"].values()]}


def _sorted(users: set[_User]) -> list[_User]:
    return sorted(users, key=lambda user: user.pid)


def _without(content: Mapping[str, Any], gone: set[_User]) -> dict[str, Any]:
    """Return the list without some users."""

    def stays(user: Mapping[str, Any]) -> bool:
        return _User(user["pid"], user["cmd"]) not in gone

    readers = {path: list(filter(stays, users)) for path, users in content["read"].items()}
    return {
        "write": {path: user for path, user in content["write"].items() if stays(user)},
        "read": {path: users for path, users in readers.items() if users},
    }


def _is_at_work(user: _User, written_at: float) -> bool:
    """Return whether the process that wrote itself down may be alive; in doubt it is."""
    if user.pid == os.getpid() or processes.has_ended(user.pid, before=written_at):
        return False
    words = user.cmd.split()[1:]
    return processes.mentions(user.pid, "dvc", "multiprocessing") or (
        processes.mentions_all(user.pid, words)
    )
