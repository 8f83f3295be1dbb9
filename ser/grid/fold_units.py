"""A fold under a seed of a cell as a unit of work, for a machine with a project of its own.

The unit says what decides its result. Whoever does it computes the same from its own data, code and
versions first, and refuses it, with the difference named, where something is other.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ser.contracts import Tracker
from ser.data.splits import Fold
from ser.engine import agreement
from ser.errors import NodeError, SerError, TrackingError
from ser.grid import runners, same_folds, specs, variants
from ser.grid.cell import CellRunner
from ser.project import Project
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tracking.recording import SilentTracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoldUnit:
    """A fold under a seed that has to be trained.

    Args:
        cell: `<model>-<loss>`.
        variant: Of the cell, see `ser.grid.variants`.
        fold: Its number.
        seed: Its seed.
        key: Its run key.
        decided_by: What decides its result, name -> value; source by file.
    """

    cell: str
    variant: str
    fold: int
    seed: int
    key: str
    decided_by: Mapping[str, str] = field(compare=False)

    @property
    def name(self) -> str:
        """The unit, for people: the name of its run, below that of its variant."""
        return f"{self.variant}/{self._run}" if self.variant else self._run

    @property
    def _run(self) -> str:
        return f"{self.cell}/fold-{self.fold}/seed-{self.seed}"

    @property
    def folder(self) -> Path:
        """What it leaves, relative to the root of any project."""
        return Project().kept_fold(self.key).folder

    @property
    def remains(self) -> tuple[Path, ...]:
        """What it leaves beside that where it dies: checkpoints."""
        return tuple(Project().checkpoint_files(self.key).values())


def missing(cell: str, variant: str) -> Iterator[FoldUnit]:
    """Yield the folds of a cell that have to be trained, seed by seed.

    Args:
        cell: One of `cells` in params.yaml, in the working directory.
        variant: See `ser.grid.variants`.

    Raises:
        SerError: See `ser.grid.runners.make`.
    """
    runner, sources = _made_once(cell, variant)
    runner.require_trainable()
    for fold, seed in runner.jobs:
        decisive = runner.decisive(fold, seed)
        key = specs.run_key(decisive)
        if runner.kept(key) is None:
            said = same_folds.by_name(decisive, sources)
            yield FoldUnit(cell, variant, fold.number, seed, key, said)


def announce(cell: str, variant: str, server: str) -> None:
    """Make the run of a cell on a tracking server, for the nodes to nest those of folds in it.

    Args:
        cell: One of `cells` in params.yaml, in the working directory.
        variant: See `ser.grid.variants`.
        server: Its address.

    Raises:
        TrackingError: The server cannot be used, so no cell could be recorded in the end either.
        SerError: See `ser.grid.runners.make`.
    """
    runner, _ = _made_once(cell, variant)
    runners.open_store(runner.inputs, variant, server).announce(runner.told(runner.spec))


def train(unit: FoldUnit, server: str | None = None) -> None:
    """Train a unit in the project that is the working directory, and keep it there.

    Args:
        unit: From `missing`, of this project or of another one.
        server: Address of the tracking server that is told of the epochs, at best effort; its run
            is completed by whoever assembles the cell.

    Raises:
        NodeError: Here the fold would be another one, or its data are not here.
        TrainingError: It diverged.
    """
    try:
        runner, sources = _made_once(unit.cell, unit.variant)
        fold = next((f for f in runner.inputs.folds if f.number == unit.fold), None)
        if fold is None:
            raise NodeError(f"there is no fold {unit.fold} here")
        own = runner.decisive(fold, unit.seed)
    except NodeError:
        raise
    except SerError as error:
        raise NodeError(str(error)) from error
    if specs.run_key(own) != unit.key:
        raise agreement.refusal(unit.decided_by, same_folds.by_name(own, sources))
    with _told(server, runner, fold, unit.seed) as tracker:
        runner.train_one(fold, unit.seed, tracker)


@contextmanager
def _told(server: str | None, runner: CellRunner, fold: Fold, seed: int) -> Iterator[Tracker]:
    """Open the run of a fold on a tracking server, if there is one and it can be used."""
    with ExitStack() as stack:
        tracker: Tracker = SilentTracker()
        if server is not None:
            spec = runner.told(runner.fold_spec(fold, seed))
            try:
                store = runners.open_store(runner.inputs, runner.variant, server)
                run = store.part(spec, parent_key=runner.spec.run_key)
                tracker = stack.enter_context(run)
            except TrackingError as error:
                logger.warning("%s: no curves while it trains: %s", spec.name, error)
        yield tracker


def _make(cell: str, variant: str) -> CellRunner:
    project, is_tuned = Project(), variants.is_tuned(variant)
    return runners.make(
        project.params,
        cell,
        project,
        is_tuned=is_tuned,
        variant=variant,
        experiment=MemoryExperiment(),
    )


@lru_cache(maxsize=1)
def _made_once(cell: str, variant: str) -> tuple[CellRunner, dict[str, str]]:
    """Return what trains a cell; the data are read and hashed once a process, not once a unit."""
    runner = _make(cell, variant)
    return runner, runner.source_digests()
