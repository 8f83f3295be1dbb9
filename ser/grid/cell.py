"""Train a cell: every fold under every seed, each kept and found again.

It ends with predictions. What scores and draws them comes later and elsewhere
(`ser.evaluation`, `ser.figures`), so that no change there trains anything anew.
"""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import pandas as pd
from accelerate import Accelerator

from ser import lineage, provenance, runtime
from ser.contracts import Experiment, RunSpec, Tracker
from ser.data.splits import Fold
from ser.features.store import CLEAN
from ser.grid import cell_lock, kept_folds, same_folds, specs, variants
from ser.grid import inputs as cell_inputs
from ser.grid.assembly import Assembly
from ser.grid.inputs import Inputs
from ser.grid.tuned import UNTUNED, TunedCell, of_fold
from ser.progress import Progress
from ser.project import Project
from ser.provenance import Provenance
from ser.tracking import cells, provenances
from ser.tracking.cells import RunRecord
from ser.tracking.telling import TellingTracker
from ser.training import device, ranks
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fit import FitContext
from ser.training.fold import FoldData
from ser.training.plan import CellPlan
from ser.training.saved_fold import SavedFold

logger = logging.getLogger(__name__)


class CellRunner:
    """Runs one cell; made once, `run` once.

    Args:
        plan: Model, loss and settings.
        inputs: Data.
        experiment: Where its runs are recorded.
        project: Where it works, and where it leaves its results: `Project.trained`.
        accelerator: Device, precision and processes.
        tuned: What tuning chose per fold, or None to keep the plan's own values.
        variant: Of the experiment that its runs are recorded in; see `specs`.
    """

    def __init__(
        self,
        plan: CellPlan,
        inputs: Inputs,
        experiment: Experiment,
        project: Project,
        accelerator: Accelerator,
        *,
        tuned: TunedCell | None = None,
        variant: str = "",
    ) -> None:
        self.plan, self.inputs, self.experiment = plan, inputs, experiment
        self.project, self.accelerator = project, accelerator
        self.variant = variant
        numbers = [fold.number for fold in inputs.folds]
        self.tuned: TunedCell = {
            number: UNTUNED if tuned is None else of_fold(tuned, number) for number in numbers
        }
        self.plans = {n: plan.with_values(self.tuned[n].params) for n in numbers}
        self.out = project.trained(plan.name, variant)
        self.sources = cell_inputs.sources(plan, project.root)
        self.source_sha256 = lineage.source_sha256(project.root, self.sources)
        self.has_copies = inputs.store.copies != (CLEAN,) and bool(inputs.emotions)
        self.assembly = Assembly(plan, inputs, project, variant=variant, has_copies=self.has_copies)
        self.tags = specs.tags(plan, inputs, source_sha256=self.source_sha256)

    @cached_property
    def provenance(self) -> Provenance:
        """Where this process stands; asked for before it trains, as commits may come meanwhile."""
        return provenance.here(self.project.root, device=device.described(self.accelerator))

    @cached_property
    def _lock(self) -> dict[str, str]:
        return provenances.lock_of(self.tags, self.project.root)

    @property
    def jobs(self) -> list[tuple[Fold, int]]:
        """Every fold under every seed."""
        return [(fold, seed) for seed in self.plan.training.seeds for fold in self.inputs.folds]

    def keys(self) -> dict[tuple[int, int], str]:
        """Return (fold, seed) -> the key of everything that decides its result."""
        return {(fold.number, seed): self._key(fold, seed) for fold, seed in self.jobs}

    def require_trainable(self) -> None:
        """Refuse, before anything is trained, what model, loss and corpus do not allow together.

        Raises:
            ParamsError: See `run`.
        """
        cell_inputs.require_targets(self.plan, self.inputs)
        cell_inputs.require_normalising(self.plan, self.inputs)

    def decisive(self, fold: Fold, seed: int) -> dict[str, Any]:
        """Return all that decides the result of a fold under a seed; its key is of this."""
        return specs.decisive(
            self.plans[fold.number],
            self.inputs,
            fold=fold.number,
            seed=seed,
            source_sha256=self.source_sha256,
            machine={
                "device": self.accelerator.device.type,
                "num_processes": self.accelerator.num_processes,
            },
            variant=variants.part_of_key(self.variant),
        )

    def source_digests(self) -> dict[str, str]:
        """Return the digest of each source file that decides the results, by name."""
        return lineage.file_digests(self.project.root, self.sources)

    def kept(self, key: str) -> SavedFold | None:
        """Return the finished fold of a key, or None where it has to be trained."""
        return kept_folds.find(
            self.project,
            key,
            with_weights=self.plan.training.keep_weights == "all",
            with_copies=self.has_copies,
        )

    @property
    def spec(self) -> RunSpec:
        """The cell's own run, the parent of those of its folds."""
        key = specs.cell_key(self.keys())
        return specs.cell_spec(self.plan, self.inputs, key=key, shared=self.tags, tuned=self.tuned)

    def fold_spec(self, fold: Fold, seed: int) -> RunSpec:
        """Return the run of a fold under a seed."""
        return self._spec(fold, seed, self._key(fold, seed))

    def told(self, spec: RunSpec, came_from: Provenance | None = None) -> RunSpec:
        """Return a run as the tracker is told of it: with the tags of where it came from.

        Args:
            spec: Of the cell, or of one of its folds.
            came_from: Who trained the fold; None is this process.
        """
        return provenances.described(spec, (came_from or self.provenance).tags, self._lock)

    def train_one(self, fold: Fold, seed: int, tracker: Tracker) -> None:
        """Train one fold under one seed and keep it, for whoever assembles the cell.

        Args:
            fold: One of the cell's.
            seed: One of the cell's.
            tracker: Is told of the epochs alone; its run is completed with the cell.

        Raises:
            TrainingError: It diverged.
        """
        key = self._key(fold, seed)
        if self.kept(key) is None:
            self._train(fold, seed, key, tracker)
        self._drop_checkpoints(key)

    def run(self, progress: Progress = iter) -> None:
        """Train what is not trained yet and assemble the cell's folder.

        Several processes (`ser.training.ranks`) train each fold together; what is kept, recorded
        and left is that of rank 0, in its project alone.

        Args:
            progress: Wraps the iteration over (fold, seed).

        Raises:
            ParamsError: The loss wants ratings, classes or votes and the corpus has none, the
                loss has no form for votes, or the recipe normalises inputs that the model
                wants as they are.
            StaleFeaturesError: The features are not those that the digest is of.
            TrainingError: A fold diverged, or another process trains the cell.
            RankError: A rank would train something else, or cannot train.
            TrackingError: The tracking store cannot be used.
        """
        lock = self.project.locks / (self.variant or "trained") / f"{self.plan.name}.lock"
        with ExitStack() as stack:
            with ranks.together():
                self.require_trainable()
                if ranks.is_first():
                    stack.enter_context(cell_lock.held(lock, self.plan.name))
                    cell_inputs.require_unchanged(self.inputs)
            self._run(progress)

    def _run(self, progress: Progress) -> None:
        if self.plan.learns_votes:
            logger.info("%s: soft targets: %s", self.plan.name, self.inputs.votes.statement)
        keys = self.keys()
        same_folds.require(keys, self._decided_by)
        spec = self.spec
        if ranks.is_first():
            self.assembly.begin(self.sources)
        # The second after the first: by then the tracker has imported what it needs.
        with self.experiment.run(self.told(spec)) as tracker, runtime.sparing_what_stays():
            records = [
                self._run_fold(fold, seed, key=keys[fold.number, seed], parent_key=spec.run_key)
                for fold, seed in progress(self.jobs)
            ]
            if not ranks.is_first():
                return
            cell = self.assembly.finish(RunRecord(spec), records, keys)
            kept = [SavedFold(self.project.kept_fold(key).folder) for key in keys.values()]
            came_from = provenance.tags_of([fold.read_provenance() for fold in kept])
            tracker.set_tags({**cell.spec.tags, **came_from})
            cells.complete(tracker, cell, self.assembly.staging.folder)
        self.assembly.put(self.out)

    def _decided_by(self, job: tuple[int, int]) -> dict[str, str]:
        fold = next(fold for fold in self.inputs.folds if fold.number == job[0])
        return same_folds.by_name(self.decisive(fold, job[1]), self.source_digests())

    def _key(self, fold: Fold, seed: int) -> str:
        return specs.run_key(self.decisive(fold, seed))

    def _spec(self, fold: Fold, seed: int, key: str) -> RunSpec:
        return specs.fold_spec(
            self.plans[fold.number],
            self.inputs,
            key=key,
            shared=self.tags,
            fold=fold.number,
            seed=seed,
            tuned=self.tuned[fold.number],
        )

    def _drop_checkpoints(self, key: str) -> None:
        for path in self.project.checkpoint_files(key).values():
            path.unlink(missing_ok=True)

    def _run_fold(self, fold: Fold, seed: int, *, key: str, parent_key: str) -> RunRecord:
        """Train a fold under a seed, unless it is kept, and log what it ends with."""
        saved = self.kept(key) if ranks.is_first() else None
        spec = self._spec(fold, seed, key)
        if ranks.decided(lambda: saved is not None) and not ranks.is_first():
            return RunRecord(spec, fold.number, seed)
        told = self.told(spec, None if saved is None else saved.read_provenance())
        with self.experiment.run(told, parent_key=parent_key) as tracker:
            if saved is not None:
                for epoch, row in _epochs(saved):
                    tracker.log_metrics(row, step=epoch)
            else:
                saved = self._train(fold, seed, key, tracker)
            if not ranks.is_first():
                return RunRecord(spec, fold.number, seed)
            # Only now: had this process been killed before, the fit would have gone on from it.
            self._drop_checkpoints(key)
            record = self.assembly.add(spec, saved, fold=fold.number, seed=seed)
            tracker.set_tags(record.spec.tags)
            cells.complete(tracker, record, self.assembly.staging.folder)
            tracker.log_artifact(saved.provenance)
        logger.info(
            "%s: best dev %s %.3f at epoch %d",
            spec.name,
            specs.headline_of(self.inputs).upper(),
            record.metrics[self.assembly.best],
            record.metrics["best_epoch"],
        )
        return record

    def _train(self, fold: Fold, seed: int, key: str, tracker: Tracker) -> SavedFold:
        plan, inputs, came_from = self.plans[fold.number], self.inputs, self.provenance
        group_of, share_of = inputs.group_of(plan.recipe.normalisation), inputs.share_of(plan)
        first, second = (
            Checkpoint(path, key + phase)
            for phase, path in self.project.checkpoint_files(key).items()
        )
        name = f"{plan.name}/fold-{fold.number}/seed-{seed}"
        if ranks.is_first():
            tracker = TellingTracker(tracker, name, plan.recipe.num_epochs)
        # Made anew: another cell of this process may have another precision.
        accelerator = device.accelerator(plan.training)
        result = folds.train_fold(
            plan,
            FoldData(fold, inputs.store, inputs.label_of, inputs.rating_of, group_of, share_of),
            FitContext(accelerator, seed, tracker, plan.emotions, first, second),
        )
        # Accelerate would keep every model it prepared, one per fold and seed.
        accelerator.free_memory()
        saved = SavedFold(self.project.kept_fold(key).folder)
        if ranks.is_first():
            folds.save(result, saved.folder, fold=fold.number, seed=seed, came_from=came_from)
        return saved


def _epochs(saved: SavedFold) -> Iterable[tuple[int, dict[str, float]]]:
    """Yield a finished fold's epochs with their metrics, in order."""
    for row in saved.read_history().drop(columns=["fold", "seed"]).to_dict("records"):
        epoch = int(row.pop("epoch"))
        # A refit ends at the chosen epoch, before the history does.
        yield epoch, {str(key): float(value) for key, value in row.items() if pd.notna(value)}
