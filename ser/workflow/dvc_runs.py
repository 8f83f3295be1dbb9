"""DVC, called in this process: what would it run, and run it.

A `dvc` of its own starts Python, and says of every stage that nothing has changed in it.
"""

import logging
import os
import re
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dump_yaml, load_yaml

from ser import files, processes, runtime
from ser.errors import PipelineError
from ser.project import Project
from ser.workflow import programs

#: Says which stage is run, and its command. All else that DVC says of a run that succeeds is
#: of no use to whoever waits for it.
_SAYS_WHAT_RUNS = "dvc.stage.run"

_EXITED = re.compile(r"exited with (-?\d+)")


@contextmanager
def opened(root: Path, *, is_locked: bool = True) -> Iterator[Repo]:
    """Open the repository; say DVC's errors as ours.

    Args:
        root: The project's root.
        is_locked: Keep other DVC processes out. DVC's own commands do that by themselves.

    Raises:
        PipelineError: dvc.yaml or dvc.lock cannot be read, or DVC is busy.
    """
    _quieten()
    try:
        with _plainly_written_lock(), Repo(str(root)) as repo:
            if not is_locked:
                yield repo
                return
            with repo.lock:
                yield repo
    except DvcException as error:
        where = Project(root).pipeline
        raise PipelineError(f"{where}: {error}; `dvc status` says more") from error


def is_up_to_date(root: Path) -> bool:
    """Return whether DVC would run nothing, by what `dvc status` says.

    Args:
        root: The project's root.

    Raises:
        PipelineError: See `opened`.
    """
    with opened(root, is_locked=False) as repo:
        return not repo.status()


def repro(root: Path, *targets: str) -> bool:
    """Do what `dvc repro` does.

    Args:
        root: The project's root, which is the working directory.
        targets: Stages; without any, all.

    Returns:
        Whether there was anything to do.

    Raises:
        PipelineError: A stage failed, and has said why; or see `opened`.
        KeyboardInterrupt: A stage was interrupted; `ser.runtime.Terminated` after SIGTERM.
    """
    _quieten()
    try:
        with (
            _own_python_first(),
            _ending_stages(),
            _plainly_written_lock(),
            Repo(str(root)) as repo,
        ):
            return bool(repo.reproduce(list(targets) or None))
    except DvcException as error:
        why = str(error.__cause__ or error)
        exited = _EXITED.search(why)
        if exited and (interrupt := programs.ENDED.get(int(exited[1]))):
            raise interrupt from None
        command = " ".join(["dvc repro", *targets])
        said = _hint(int(exited[1])) if exited else ""
        raise PipelineError(f"`{command}` failed: {why}{said}") from error


def _hint(status: int) -> str:
    """Return where a reason stands, by the exit status of a program; one killed has said none."""
    if status >= 0:
        return "; the messages above say why"
    if status == -signal.SIGKILL:
        return ": it was killed, as Linux does it where no memory is left"
    return f": the signal {-status} ended it"


@contextmanager
def _own_python_first() -> Iterator[None]:
    """Let stages, which call `python`, find the one that runs this, on the path or not."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


@contextmanager
def _plainly_written_lock() -> Iterator[None]:
    """Let DVC write dvc.lock without a search for comments in it.

    Before it writes, DVC reads the file with all the comments and line breaks that people may have
    put between its lines, which takes five times as long as to read what it says: more than a
    second for each stage. Nobody writes in dvc.lock by hand; without comments the bytes are the
    same. There is no setting for it.
    """
    before = Lockfile.dump_stages
    Lockfile.dump_stages = _dump_stages
    try:
        yield
    finally:
        Lockfile.dump_stages = before


def _dump_stages(lockfile: Lockfile, stages: Collection[PipelineStage], **options: object) -> None:
    """Do what DVC's own method of this name does; both functions that read and write are DVC's."""
    path = Path(lockfile.path)
    content = {"schema": "2.0", **(load_yaml(str(path)) if path.is_file() else {})}
    entries = content.setdefault("stages", {})
    for stage in stages:
        entries |= to_lockfile(stage, **options)
    with files.replacing(path) as part:
        dump_yaml(str(part), content)
    lockfile.repo.scm_context.track_file(lockfile.relpath)


@contextmanager
def _ending_stages() -> Iterator[None]:
    """Pass SIGTERM on: DVC would leave its stage running, into whose outputs the next run writes.

    Ctrl-C in a terminal reaches the stage by itself.
    """
    before = processes.children()
    try:
        yield
    except runtime.Terminated:
        processes.end([one for one in processes.children() if one not in before])
        raise


def _quieten() -> None:
    own = logging.getLogger("dvc")
    own.setLevel(logging.WARNING)
    own.handlers.clear()  # DVC's write what this process' own handler writes as well
    logging.getLogger(_SAYS_WHAT_RUNS).setLevel(logging.INFO)
