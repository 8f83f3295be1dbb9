"""Stages that `dvc repro` would still run, run beforehand in few processes, side by side.

DVC starts one program after another, and one that trains a small cell imports its packages for
as long as it trains. Here a process runs one stage after another; what it leaves is what the
stage's own program would have left, and is put into dvc.lock as `dvc commit` does it.
"""

import logging
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import ConfirmRemoveError
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.stage.cache import RunCacheNotFoundError

from ser.contracts import Engine, UnitOutcome
from ser.engine.local import LocalEngine
from ser.errors import PipelineError
from ser.grid import variants
from ser.project import Project
from ser.workflow import dvc_runs, programs

logger = logging.getLogger(__name__)

#: What is made from nothing but params, and what is made from that and the recordings: the stages
#: of a group do not read one another's outputs.
_SOURCES, FEATURES = "weights", "extract"

#: The programs of these, which take seconds to import.
PROGRAMS_OF_FEATURES = ("pipelines.weights", "pipelines.extract")

#: Corpora beside that of params.yaml, then the cells that are trained on one and tested on another.
_OTHER_CORPORA, _CROSSED = "cross_data", "cross"

#: What is computed of recordings or of trained cells, each by itself; the report reads it all.
_SCORES = ("score", "gain", "robustness", "baselines")

#: The last stage before features, and what is searched before cells are trained.
_BEFORE_FEATURES, TUNING = "split", "tune"

#: A search reads folds as well, of which features know nothing.
BEFORE_TUNING = (_BEFORE_FEATURES, FEATURES)

#: Stages that train a cell -> the variant of the experiment that they are recorded in.
CELLS = {"train": "", **{name: name for name in (variants.UNTUNED, variants.WITHOUT_COPIES)}}


class Missing(NamedTuple):
    """A stage that has to be run.

    Args:
        stage: Its name, e.g. `untuned@whisper-aam`.
        command: What dvc.yaml says to run.
        num_bytes: Of all that it reads: the larger a network or a feature, the longer it takes.
    """

    stage: str
    command: str
    num_bytes: int = 0

    @property
    def group(self) -> str:
        """The stage's name without the entry that it is for."""
        return self.stage.partition("@")[0]

    @property
    def entry(self) -> str:
        """The entry that it is for, e.g. the cell; empty where there is but one."""
        return self.stage.partition("@")[2]


def make_sources(engine: Engine[Missing], root: Path) -> None:
    """Run the stages up to what features are made of.

    Args:
        engine: Where random checkpoints are made.
        root: The project's root, which is the working directory.

    Raises:
        PipelineError: One of them failed; it has said why.
    """
    dvc_runs.repro(root, _BEFORE_FEATURES)
    _make([_SOURCES], engine, root)


def make_features(engine: Engine[Missing], root: Path, *, is_crossed: bool = False) -> None:
    """Run the stages of the features, side by side.

    Args:
        engine: Where the features are extracted.
        root: The project's root, which is the working directory; their sources are there.
        is_crossed: Whether params.yaml asks for other corpora; DVC takes its time to say so.

    Raises:
        PipelineError: One of them failed; it has said why.
    """
    _make([FEATURES], engine, root)
    if is_crossed:
        _make([_OTHER_CORPORA], engine, root)


def tune(root: Path) -> None:
    """Run the searches for hyperparameters, one after another: each has processes of its own.

    Most features have nothing to search, and their stages take no time; so DVC is told of all at
    once.

    Args:
        root: The project's root, which is the working directory; all features are there.

    Raises:
        PipelineError: One of them failed; it has said why.
    """
    _make([TUNING], LocalEngine(1), root)


def make_scores(engine: Engine[Missing], root: Path, *, is_crossed: bool = False) -> None:
    """Run the stages between the cells and the report, side by side; first what crosses corpora.

    Args:
        engine: Where they are run.
        root: The project's root, which is the working directory; all cells are trained.
        is_crossed: Whether params.yaml asks for other corpora; DVC takes its time to say so.

    Raises:
        PipelineError: One of them failed; it has said why.
    """
    if is_crossed:
        _make([_CROSSED], engine, root)
    _make(_SCORES, engine, root)


def _make(groups: Collection[str], engine: Engine[Missing], root: Path) -> None:
    # The longest first, so that at the end no process waits for the one that has it.
    missing = find(root, groups, clears=True)
    stages = sorted(missing, key=lambda one: one.num_bytes, reverse=True)
    outcomes = run(stages, engine, root)
    if failed := [outcome.unit.stage for outcome in outcomes if outcome.error is not None]:
        raise PipelineError(f"{', '.join(failed)} failed; the messages above say why")


def find(root: Path, groups: Collection[str], *, clears: bool = False) -> list[Missing]:
    """Return the stages of groups that have to be run, in the order of dvc.yaml.

    Args:
        root: The project's root. What lies upstream of them must be up to date.
        groups: Names without `@` and what follows it.
        clears: Remove what an earlier run left of their outputs, as DVC does before it runs one;
            not of cells, which replace all at once.

    Returns:
        None of a stage whose outputs are in DVC's run cache: its outputs are checked out, as
        `dvc repro` would do it.

    Raises:
        PipelineError: dvc.yaml or dvc.lock cannot be read, DVC is busy, or what lies upstream is
            not there.
    """
    with dvc_runs.opened(root) as repo:
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        asked = [stage for stage in stages if stage.name.partition("@")[0] in groups]
        missing = [stage for stage in asked if _has_to_run(stage, repo)]
        for stage in missing if clears else ():
            stage.remove_outs()
        return [Missing(stage.name, stage.cmd, _num_bytes_read(stage)) for stage in missing]


def do(missing: Missing) -> None:
    """Do what a stage's program does; the working directory is the project's root.

    Args:
        missing: The stage.

    Raises:
        SerError: What a cell says of itself, see `ser.grid.runners.make` and
            `ser.grid.cell.CellRunner.run`.
        PipelineError: The program of another stage failed; it has said why.
    """
    if missing.group in CELLS:
        _train(missing)
    else:
        logger.info("%s: begins", missing.stage)
        _run_here(shlex.split(missing.command))


def _train(missing: Missing) -> None:
    """Train a cell, without the bar that its program draws: several are trained at once."""
    # Here, not at the top: it takes torch and MLflow along, and there may be no cell to train.
    from ser.grid import runners

    cell, variant = missing.entry, CELLS[missing.group]
    project = Project()
    is_tuned = variants.is_tuned(variant)
    runner = runners.make(project.params, cell, project, is_tuned=is_tuned, variant=variant)
    runner.run()


def _run_here(words: Sequence[str]) -> None:
    """Run a command of dvc.yaml in this process, whose packages are imported already."""
    python, option, module, *rest = words
    if (python, option) != ("python", "-m"):
        raise PipelineError(f"{shlex.join(words)}: `python -m <module>` is run here, no other")
    if programs.run_here(module, rest):
        raise PipelineError("failed; the messages above say why")


def run(
    stages: Collection[Missing], engine: Engine[Missing], root: Path
) -> list[UnitOutcome[Missing]]:
    """Run stages and tell DVC of those that are done, whatever becomes of the others.

    Args:
        stages: See `find`.
        engine: Where they are run.
        root: The project's root, which is the working directory.

    Returns:
        What became of each.

    Raises:
        PipelineError: DVC is busy, or dvc.lock cannot be written.
    """
    outcomes: list[UnitOutcome[Missing]] = []
    try:
        # One by one: an interrupt leaves those that there are.
        for outcome in engine.run(do, list(stages)):
            outcomes.append(outcome)
            _say(outcome, len(outcomes), len(stages))
    finally:
        # Interrupted, too: a stage that is done shall not be made again.
        commit([outcome.unit.stage for outcome in outcomes if outcome.error is None], root)
    return outcomes


def _say(outcome: UnitOutcome[Missing], number: int, total: int) -> None:
    """Say how far the work is."""
    stage = outcome.unit
    kind = "cell" if stage.group in CELLS else "stage"
    state = "done" if outcome.error is None else "failed"
    logger.info("%s %d of %d: %s %s", kind, number, total, stage.stage, state)


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
    with dvc_runs.opened(root) as repo:
        done = [stage for stage in repo.index.stages if getattr(stage, "name", "") in stages]
        for stage in done:
            stage.save()
            stage.commit()
        # All at once, where `dvc commit` would write the whole file once for each.
        done[0].dvcfile.dump_stages(done, update_pipeline=False)


def _has_to_run(stage: PipelineStage, repo: Repo) -> bool:
    if not stage.changed():
        return False
    try:
        try:
            repo.stage_cache.restore(stage)
        except ConfirmRemoveError:
            # What is there, DVC does not know: a cell that was trained beside it. `dvc repro`
            # removes it, too, before it restores.
            stage.remove_outs()
            repo.stage_cache.restore(stage)
    except RunCacheNotFoundError:
        return True
    except FileNotFoundError as error:
        raise PipelineError(
            f"{stage.name}: {error.filename} is missing; the stages before this one have not run; "
            f"`make repro` runs all"
        ) from error
    return False


def _num_bytes_read(stage: PipelineStage) -> int:
    paths = [Path(dependency.fs_path) for dependency in stage.deps]
    inside = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in inside if file.is_file())
