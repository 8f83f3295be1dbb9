"""The cells that `dvc repro` would still train, trained beforehand in few processes.

DVC starts a program for each stage, and one that trains a small cell imports its packages for
as long as it trains. Here a process trains one cell after another; what it leaves is what the
stage's own program would have left, and is put into dvc.lock as `dvc commit` does it.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.stage.cache import RunCacheNotFoundError

from ser.contracts import Engine, UnitOutcome
from ser.errors import PipelineError
from ser.grid import runners, variants
from ser.progress import Progress
from ser.project import Project

#: The last stage before training; it reads everything that a cell reads.
_UPSTREAM = "tune"

#: Stages that train a cell -> the variant of the experiment that they are recorded in.
_VARIANTS = {"train": "", **{name: name for name in (variants.UNTUNED, variants.WITHOUT_COPIES)}}


def make_upstream(root: Path) -> None:
    """Run the stages that the cells need, by `dvc repro`.

    Args:
        root: The project's root.

    Raises:
        PipelineError: One of them failed; it has said why.
    """
    # Stages call `python`, which has to be the one that runs this, on the path or not.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "dvc", "repro", _UPSTREAM]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PATH": path}, check=False)
    if done.returncode:
        raise PipelineError("what the cells need could not be made; the messages above say why")


def find(root: Path) -> list[str]:
    """Return the stages that train a cell and have to be run, in the order of dvc.yaml.

    Args:
        root: The project's root. What lies upstream of training must be up to date.

    Returns:
        Their names, e.g. `train@lstm-focal`. A stage whose outputs are in DVC's run cache is
        none of them: its outputs are checked out, as `dvc repro` would do it.

    Raises:
        PipelineError: dvc.yaml or dvc.lock cannot be read, or DVC is busy.
    """
    with _opened(root) as repo:
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        return [stage.name for stage in stages if _group(stage.name) and _has_to_run(stage, repo)]


def train(stage: str) -> None:
    """Do what a stage's program does; the working directory is the project's root.

    Args:
        stage: Its name, e.g. `untuned@whisper-aam`.

    Raises:
        SerError: See `ser.grid.runners.make` and `ser.grid.cell.CellRunner.run`.
    """
    cell, variant = stage.partition("@")[2], _VARIANTS[stage.partition("@")[0]]
    project = Project()
    is_tuned = variants.is_tuned(variant)
    runner = runners.make(project.params, cell, project, is_tuned=is_tuned, variant=variant)
    runner.run()


def run(
    stages: Collection[str], engine: Engine, root: Path, *, progress: Progress = iter
) -> list[UnitOutcome[str]]:
    """Train cells and tell DVC of those that are done, whatever becomes of the others.

    Args:
        stages: See `find`.
        engine: Where they are trained.
        root: The project's root, which is the working directory.
        progress: Wraps the iteration over what became of them.

    Returns:
        What became of each.

    Raises:
        PipelineError: DVC is busy, or dvc.lock cannot be written.
    """
    outcomes: list[UnitOutcome[str]] = []
    try:
        # One by one: an interrupt leaves those that there are.
        for outcome in progress(engine.run(train, list(stages))):
            outcomes.append(outcome)  # noqa: PERF402
    finally:
        # Interrupted, too: a cell that is done shall not be made again.
        commit([outcome.unit for outcome in outcomes if outcome.error is None], root)
    return outcomes


def commit(stages: Collection[str], root: Path) -> None:
    """Record in dvc.lock and in DVC's caches that the outputs of stages are theirs.

    Args:
        stages: Their names.
        root: The project's root.

    Raises:
        PipelineError: DVC is busy, or an output is missing.
    """
    if not stages:
        return
    with _opened(root) as repo:
        done = [stage for stage in repo.index.stages if getattr(stage, "name", "") in stages]
        for stage in done:
            stage.save()
            stage.commit()
        # All at once, where `dvc commit` would write the whole file once for each.
        done[0].dvcfile.dump_stages(done, update_pipeline=False)


def _group(name: str) -> str:
    """Return the group of a stage that trains a cell; empty of any other stage."""
    group = name.partition("@")[0]
    return group if group in _VARIANTS else ""


def _has_to_run(stage: PipelineStage, repo: Repo) -> bool:
    if not stage.changed():
        return False
    try:
        repo.stage_cache.restore(stage)
    except RunCacheNotFoundError:
        return True
    return False


@contextmanager
def _opened(root: Path) -> Iterator[Repo]:
    """Open the repository, locked against other DVC processes; say its errors as ours."""
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with Repo(str(root)) as repo, repo.lock:
            yield repo
    except DvcException as error:
        where = Project(root).pipeline
        raise PipelineError(f"{where}: {error}; `dvc status` says more") from error
