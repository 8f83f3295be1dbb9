"""The folder of a trained cell, put together from its finished folds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ser import files, lineage, predictions
from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.grid import specs
from ser.grid.inputs import Inputs
from ser.project import Project
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from ser.training.plan import CellPlan
from ser.training.saved_fold import SavedFold


class Assembly:
    """Puts a cell's folder together beside its place, where it then is complete or not at all.

    Args:
        plan: Model, loss and settings.
        inputs: Data.
        project: The checkout.
        variant: Of the cell, see `ser.grid.variants`.
        has_copies: Whether folds hold predictions of the test part under copies.
    """

    def __init__(
        self,
        plan: CellPlan,
        inputs: Inputs,
        project: Project,
        *,
        variant: str,
        has_copies: bool,
    ) -> None:
        self.plan, self.inputs, self.project = plan, inputs, project
        self.variant, self.has_copies = variant, has_copies
        self.staging = CellFolder(project.work / "cells" / (variant or "trained") / plan.name)

    @property
    def best(self) -> str:
        """The metric of a fold's best epoch, and of a cell their mean."""
        return f"dev/best_{specs.headline_of(self.inputs)}"

    def begin(self, sources: Sequence[str | Path]) -> None:
        """Make an empty folder, and write what the cell is made from.

        Args:
            sources: Source files and folders that decide it, relative to the root.

        Raises:
            LineageError: One of the files is missing.
        """
        files.remove_folder(self.staging.folder)
        self.staging.folder.mkdir(parents=True)
        # The features are left out: their digest is a tag, their size is the corpus'.
        read = self.inputs.project
        data = [read.manifest, read.corpus_card, read.splits, read.split_report]
        lineage.write_record(
            self.staging.folder, root=self.project.root, sources=sources, data=data
        )

    def add(self, spec: RunSpec, saved: SavedFold, *, fold: int, seed: int) -> RunRecord:
        """Take a finished fold in.

        Args:
            spec: The fold's run.
            saved: The fold, which is kept elsewhere as well.
            fold: Its number.
            seed: Its seed.

        Returns:
            The run with what training knows and the list of its artifacts.
        """
        place = self.staging.fold(fold, seed).folder
        # Whoever trains the cell leaves the same, so where this was is left out.
        files.link_tree(saved.folder, place, ignore=[saved.provenance.name])
        facts = saved.read_facts()
        metrics = {
            self.best: facts.dev_score,
            "best_epoch": float(facts.best_epoch),
            "num_parameters": float(facts.num_parameters),
        }
        names = [saved.predictions.name, *([saved.copies.name] if self.has_copies else [])]
        tables = [(place / name).relative_to(self.staging.folder).as_posix() for name in names]
        artifacts = tuple((path, "") for path in (*tables, self.staging.lineage.name))
        complete = RunRecord(spec, fold, seed, metrics, artifacts)
        return _with_predictions_digest(complete, saved.predictions)

    def finish(
        self, cell: RunRecord, records: Sequence[RunRecord], keys: Mapping[tuple[int, int], str]
    ) -> RunRecord:
        """Write the cell's tables and its record.

        Args:
            cell: Of the cell's own run.
            records: Of its folds, from `add`.
            keys: (fold, seed) -> the run key.

        Returns:
            The cell's own run, complete.
        """
        staging = self.staging
        saved = [SavedFold(fold.folder) for fold in staging.folds()]
        frame = pd.concat([fold.read_predictions() for fold in saved], ignore_index=True)
        history = pd.concat([fold.read_history() for fold in saved], ignore_index=True)
        history = history.sort_values(["fold", "seed", "epoch"], ignore_index=True)
        predictions.write(staging.predictions, frame)
        history.to_csv(staging.history, index=False, lineterminator="\n")
        tables = [staging.predictions, staging.history, staging.lineage]
        if self.has_copies:
            copies = pd.concat([fold.read_copies() for fold in saved], ignore_index=True)
            predictions.write(staging.copies, copies)
            tables.append(staging.copies)
        if self.plan.training.keep_weights == "best":
            self._drop_weights(saved, keys)
        best = [record.metrics[self.best] for record in records]
        complete = replace(
            cell,
            metrics={self.best: sum(best) / len(best)},
            artifacts=tuple((path.name, "") for path in tables),
        )
        complete = _with_predictions_digest(complete, staging.predictions)
        cells.write(staging, self._record(complete, records))
        return complete

    def put(self, out: CellFolder) -> None:
        """Put the finished folder in its place.

        Args:
            out: The place; what is there is replaced.
        """
        out.folder.parent.mkdir(parents=True, exist_ok=True)
        files.put_folder(self.staging.folder, out.folder)

    def _drop_weights(
        self, saved: Sequence[SavedFold], keys: Mapping[tuple[int, int], str]
    ) -> None:
        """Keep the weights of the highest dev score only; a further seed can but be better."""
        best = max(saved, key=lambda fold: fold.read_facts().dev_score)
        for (number, seed), key in keys.items():
            staged = self.staging.fold(number, seed)
            if staged.folder != best.folder:
                staged.weights.unlink(missing_ok=True)
                self.project.kept_fold(key).weights.unlink(missing_ok=True)

    def _record(self, cell: RunRecord, records: Sequence[RunRecord]) -> CellRecord:
        return CellRecord(
            experiment=specs.experiment_name(self.inputs, self.variant),
            note=specs.experiment_note(self.inputs),
            experiment_tags=specs.experiment_tags(self.inputs),
            cell=cell,
            folds=tuple(records),
        )


def _with_predictions_digest(record: RunRecord, path: Path) -> RunRecord:
    digest = {"ser.predictions_sha256": lineage.sha256_file(path)}
    return replace(record, spec=replace(record.spec, tags={**record.spec.tags, **digest}))
