"""Train a cell: every fold under every seed, each resumable, then the cell's folder."""

import logging
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import Accelerator

from ser import lineage, predictions
from ser.contracts import Experiment, Tracker
from ser.data.splits import Fold
from ser.evaluation import summary
from ser.evaluation.summary import CellSummary
from ser.figures import confusion, learning_curves, style
from ser.grid import inputs as cell_inputs
from ser.grid import specs
from ser.grid.inputs import Inputs
from ser.grid.tuned import UNTUNED, TunedCell, of_fold
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fit import FitContext
from ser.training.fold import FoldData, SavedFold
from ser.training.plan import CellPlan

logger = logging.getLogger(__name__)

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a cell works and leaves its results.

    Args:
        root: The project's root.
        work: Scratch that survives an interruption, outside what DVC manages.
        out: The cell's folder, `runs/<model>-<loss>`.
    """

    root: Path
    work: Path
    out: Path


class CellRunner:
    """Runs one cell; made once, `run` once.

    Args:
        plan: Model, loss and settings.
        inputs: Data.
        experiment: Where its runs are recorded.
        workspace: Where it works.
        accelerator: Device, precision and processes.
        tuned: What tuning chose per fold, or None to keep the plan's own values.
        variant: Of the experiment that its runs are recorded in; see `specs`.
    """

    def __init__(
        self,
        plan: CellPlan,
        inputs: Inputs,
        experiment: Experiment,
        workspace: Workspace,
        accelerator: Accelerator,
        *,
        tuned: TunedCell | None = None,
        variant: str = "",
    ) -> None:
        self.plan, self.inputs, self.experiment = plan, inputs, experiment
        self.workspace, self.accelerator = workspace, accelerator
        self.variant = variant
        numbers = [fold.number for fold in inputs.folds]
        self.tuned: TunedCell = {
            number: UNTUNED if tuned is None else of_fold(tuned, number) for number in numbers
        }
        self.plans = {n: plan.with_values(self.tuned[n].params) for n in numbers}
        self.staging = workspace.work / "cells" / variant / plan.name
        self.sources = cell_inputs.sources(plan, workspace.root)
        self.source_sha256 = lineage.source_sha256(workspace.root, self.sources)
        self.tags = specs.tags(plan, inputs, root=workspace.root, source_sha256=self.source_sha256)
        self.footer = style.footer(inputs.card, inputs.split)

    def run(self, progress: Progress | None = None) -> CellSummary | None:
        """Train what is not trained yet and assemble the cell's folder.

        Args:
            progress: Wraps the iteration over (seed, fold).

        Returns:
            The cell's scores, or None in a process that only helps to train.

        Raises:
            ParamsError: The loss wants ratings and the corpus has none.
            TrainingError: A fold diverged.
            TrackingError: The tracking store cannot be used.
        """
        cell_inputs.require_ratings(self.plan, self.inputs)
        jobs = [(fold, seed) for seed in self.plan.training.seeds for fold in self.inputs.folds]
        keys = {(fold.number, seed): self._key(fold, seed) for fold, seed in jobs}
        cell_key = specs.cell_key(keys)
        spec = specs.cell_spec(
            self.plan, self.inputs, key=cell_key, shared=self.tags, tuned=self.tuned
        )
        if self.accelerator.is_main_process:
            shutil.rmtree(self.staging, ignore_errors=True)
            self.staging.mkdir(parents=True)
            self._write_lineage()
        with self.experiment.run(spec) as tracker:
            records = []
            for fold, seed in (progress or iter)(jobs):
                key = keys[fold.number, seed]
                records.append(self._run_fold(fold, seed, key=key, parent_key=cell_key))
            if not self.accelerator.is_main_process:
                return None
            scores = self._assemble()
            cell = RunRecord(
                spec,
                metrics={
                    **scores.as_metrics(),
                    "dev/uar": sum(r.metrics["dev/best_uar"] for r in records) / len(records),
                },
                artifacts=(
                    ("predictions.parquet", ""),
                    ("history.csv", ""),
                    ("metrics.json", ""),
                    (lineage.RECORD, ""),
                    ("figures", "figures"),
                ),
            )
            cell = self._with_predictions_digest(cell, self.staging / "predictions.parquet")
            self._write_record(cell, records)
            tracker.set_tags(cell.spec.tags)
            cells.complete(tracker, cell, self.staging)
        self._publish(keys.values())
        return scores

    def _key(self, fold: Fold, seed: int) -> str:
        return specs.run_key(
            self.plans[fold.number],
            self.inputs,
            fold=fold.number,
            seed=seed,
            source_sha256=self.source_sha256,
            machine={
                "device": self.accelerator.device.type,
                "num_processes": self.accelerator.num_processes,
            },
            variant=self.variant,
        )

    def _run_fold(self, fold: Fold, seed: int, *, key: str, parent_key: str) -> RunRecord:
        """Train a fold under a seed, unless it is finished, and log what it ends with."""
        self.accelerator.wait_for_everyone()
        saved = SavedFold(self.workspace.work / "checkpoints" / key / "result")
        spec = specs.fold_spec(
            self.plans[fold.number],
            self.inputs,
            key=key,
            shared=self.tags,
            fold=fold.number,
            seed=seed,
            tuned=self.tuned[fold.number],
        )
        with self.experiment.run(spec, parent_key=parent_key) as tracker:
            if saved.exists:
                for row in saved.history().drop(columns=["fold", "seed"]).to_dict("records"):
                    epoch = int(row.pop("epoch"))
                    tracker.log_metrics({str(k): float(v) for k, v in row.items()}, step=epoch)
            else:
                self._train(fold, seed, saved, key, tracker)
            if not self.accelerator.is_main_process:
                return RunRecord(spec, fold.number, seed)
            place = Path(f"fold-{fold.number}/seed-{seed}")
            shutil.copytree(saved.folder, self.staging / place)
            record = self._fold_record(RunRecord(spec, fold.number, seed), saved, place)
            tracker.set_tags(record.spec.tags)
            cells.complete(tracker, record, self.staging)
        logger.info(
            "%s: best dev UAR %.3f at epoch %d",
            spec.name,
            record.metrics["dev/best_uar"],
            record.metrics["best_epoch"],
        )
        return record

    def _train(self, fold: Fold, seed: int, saved: SavedFold, key: str, tracker: Tracker) -> None:
        checkpoint = Checkpoint(saved.folder.parent / "last.safetensors", key)
        result = folds.train_fold(
            self.plans[fold.number],
            FoldData(fold, self.inputs.store, self.inputs.label_of, self.inputs.rating_of),
            FitContext(self.accelerator, seed, tracker, self.plan.emotions, checkpoint),
        )
        # Accelerate would keep every model it prepared, one per fold and seed.
        self.accelerator.free_memory()
        if self.accelerator.is_main_process:
            folds.save(result, saved.folder, fold=fold.number, seed=seed)

    def _fold_record(self, record: RunRecord, saved: SavedFold, place: Path) -> RunRecord:
        """Return a fold's record with its scores and the list of its artifacts."""
        facts = saved.facts()
        metrics = {
            "dev/best_uar": float(facts["dev_uar"]),
            "best_epoch": float(facts["best_epoch"]),
            "num_parameters": float(facts["num_parameters"]),
        }
        artifacts = [
            (f"{place.as_posix()}/predictions.parquet", ""),
            (lineage.RECORD, ""),
        ]
        frame = saved.predictions()
        test = frame[frame["part"] == "test"]
        ratings = predictions.rating_scores(test)
        metrics |= {f"test/{name}": value for name, value in ratings.items()}
        absent = sorted(set(self.plan.emotions) - set(test["truth"]))
        if absent:
            # Averages over a class that nobody spoke are no numbers; the cell's scores
            # pool all folds and do not need them.
            logger.warning("%s: nobody is %s in its test part", record.spec.name, absent)
        else:
            scores = predictions.score(test)
            metrics |= scores.as_metrics("test")
            figure = confusion.confusion_matrix(
                scores.confusion, self.plan.emotions, title=record.spec.name, footer=self.footer
            )
            style.save(figure, self.staging / place / "confusion")
            artifacts.append((f"{place.as_posix()}/confusion.png", "figures"))
        complete = replace(record, metrics=metrics, artifacts=tuple(artifacts))
        return self._with_predictions_digest(complete, saved.predictions_file)

    def _assemble(self) -> CellSummary:
        """Write the cell's tables, scores and figures into the staging folder."""
        saved = [SavedFold(path) for path in sorted(self.staging.glob("fold-*/seed-*"))]
        frame = pd.concat([fold.predictions() for fold in saved], ignore_index=True)
        history = pd.concat([fold.history() for fold in saved], ignore_index=True)
        history = history.sort_values(["fold", "seed", "epoch"], ignore_index=True)
        predictions.write(self.staging / "predictions.parquet", frame)
        history.to_csv(self.staging / "history.csv", index=False, lineterminator="\n")
        scores = summary.summarise(
            frame, self.inputs.speaker_of, origin=str(saved[0].facts()["origin"])
        )
        summary.write(self.staging / "metrics.json", scores)
        title = f"{self.plan.model} × {self.plan.loss}"  # noqa: RUF001
        matrix = confusion.confusion_matrix(
            scores.confusion, scores.emotions, title=title, footer=self.footer
        )
        style.save(matrix, self.staging / "figures" / "confusion")
        curves = learning_curves.learning_curves(history, title=title, footer=self.footer)
        style.save(curves, self.staging / "figures" / "learning_curves")
        self._drop_weights(saved)
        return scores

    def _drop_weights(self, saved: list[SavedFold]) -> None:
        """Keep all weights, or those of the highest dev UAR only."""
        best = max(saved, key=lambda fold: float(fold.facts()["dev_uar"]))
        for fold in saved:
            if self.plan.training.keep_weights == "best" and fold != best:
                fold.weights.unlink()

    def _write_lineage(self) -> None:
        # The features are left out: their digest is a tag, their size is the corpus'.
        paths = self.inputs.paths
        data = [paths.manifest, paths.card, paths.splits, paths.split_report]
        lineage.write_record(
            self.staging, root=self.workspace.root, sources=self.sources, data=data
        )

    def _with_predictions_digest(self, record: RunRecord, path: Path) -> RunRecord:
        digest = {"ser.predictions_sha256": lineage.sha256_file(path)}
        return replace(record, spec=replace(record.spec, tags={**record.spec.tags, **digest}))

    def _write_record(self, cell: RunRecord, records: list[RunRecord]) -> None:
        record = CellRecord(
            experiment=specs.experiment_name(self.inputs, self.variant),
            note=specs.experiment_note(self.inputs),
            experiment_tags={"ser.corpus": self.inputs.card["name"]},
            cell=cell,
            folds=tuple(records),
        )
        cells.write(self.staging, record)

    def _publish(self, keys: Iterable[str]) -> None:
        """Move the finished folder to its place and forget what was kept for resuming."""
        shutil.rmtree(self.workspace.out, ignore_errors=True)
        self.workspace.out.parent.mkdir(parents=True, exist_ok=True)
        self.staging.replace(self.workspace.out)
        for key in keys:
            shutil.rmtree(self.workspace.work / "checkpoints" / key, ignore_errors=True)
