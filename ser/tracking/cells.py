"""A cell's runs as files: how they are logged, and how they come back to the tracker.

DVC can restore `runs/<model>-<loss>/` from its cache without running anything; the runs that
belong to it are then recorded again from `run.json` and `history.csv`.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ser.contracts import DatasetReference, RunSpec, Tracker
from ser.errors import LineageError

RECORD = "run.json"
HISTORY = "history.csv"

#: The columns of history.csv before those of the metrics.
HISTORY_KEYS = ("fold", "seed", "epoch")


class RestorableExperiment(Protocol):
    """An experiment that can say which runs it has; see `ser.contracts.Experiment`."""

    def run(
        self, spec: RunSpec, *, parent_key: str | None = None
    ) -> AbstractContextManager[Tracker]:
        """Open, resume or silence the run of a key."""

    def is_finished(self, run_key: str) -> bool:
        """Return whether the run of a key is recorded to its end."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it is kept on disk.

    Args:
        spec: What it is opened with.
        fold: Test fold, or None for the run of the whole cell.
        seed: Seed of the run, or None for the run of the whole cell.
        metrics: Final values, keys that are not recorded per epoch.
        artifacts: Pairs of a path relative to the cell's folder and a folder among the
            run's artifacts (empty is the top).
    """

    spec: RunSpec
    fold: int | None = None
    seed: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CellRecord:
    """Everything needed to record a cell again.

    Args:
        experiment: Name of the experiment.
        note: Its description, Markdown.
        experiment_tags: Its tags.
        cell: The parent run.
        folds: One nested run per fold and seed.
    """

    experiment: str
    note: str
    experiment_tags: Mapping[str, str]
    cell: RunRecord
    folds: tuple[RunRecord, ...]


def complete(tracker: Tracker, record: RunRecord, folder: Path) -> None:
    """Log what a run ends with: final metrics and artifacts.

    Args:
        tracker: The open run.
        record: What it ends with.
        folder: The cell's folder, `runs/<model>-<loss>`.
    """
    tracker.log_metrics(record.metrics)
    for path, destination in record.artifacts:
        tracker.log_artifact(folder / path, folder=destination)


def write(folder: Path, record: CellRecord) -> None:
    """Write a cell's record to `run.json`; values that are not finite become null.

    Args:
        folder: The cell's folder, which exists.
        record: The cell.
    """
    content = asdict(record)
    for run in (content["cell"], *content["folds"]):
        run["metrics"] = {
            key: value if math.isfinite(value) else None for key, value in run["metrics"].items()
        }
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")


def read(folder: Path) -> CellRecord:
    """Read a cell's record from `run.json`.

    Args:
        folder: The cell's folder.

    Returns:
        The record as it was written.

    Raises:
        LineageError: The file is missing or is not such a record.
    """
    path = folder / RECORD
    cure = "`dvc checkout` brings it back, `dvc repro` makes it anew"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return CellRecord(
            experiment=content["experiment"],
            note=content["note"],
            experiment_tags=content["experiment_tags"],
            cell=_run_record(content["cell"]),
            folds=tuple(_run_record(item) for item in content["folds"]),
        )
    except FileNotFoundError as error:
        raise LineageError(f"{path}: no such file; {cure}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LineageError(f"{path}: not the record of a cell: {error!r}; {cure}") from error


def _run_record(content: Mapping[str, Any]) -> RunRecord:
    datasets = tuple(DatasetReference(**item) for item in content["spec"]["datasets"])
    return RunRecord(
        spec=RunSpec(**{**content["spec"], "datasets": datasets}),
        fold=content["fold"],
        seed=content["seed"],
        metrics={
            key: math.nan if value is None else float(value)
            for key, value in content["metrics"].items()
        },
        artifacts=tuple((path, folder) for path, folder in content["artifacts"]),
    )


def restore(folder: Path, open_: Callable[..., RestorableExperiment]) -> int:
    """Bring a cell's runs back into the tracker where they are missing or unfinished.

    Args:
        folder: The cell's folder, `runs/<model>-<loss>`.
        open_: Opens an experiment: called with its name and `note` and `tags` by keyword,
            as `ser.tracking.mlflow_tracker.open_experiment`.

    Returns:
        How many runs were recorded again; 0 if the tracker had them all.

    Raises:
        LineageError: The folder lacks a file that a run is made of.
        TrackingError: The tracking store cannot be used.
    """
    record = read(folder)
    experiment = open_(record.experiment, note=record.note, tags=record.experiment_tags)
    missing = [
        run for run in (record.cell, *record.folds) if not experiment.is_finished(run.spec.run_key)
    ]
    if not missing:
        return 0
    _check_artifacts(folder, missing)
    history = _read_history(folder / HISTORY)
    for run in missing:
        parent_key = None if run is record.cell else record.cell.spec.run_key
        # Its start and end are those of the restoration; whoever reads durations must know.
        spec = replace(run.spec, tags={**run.spec.tags, "ser.restored": "true"})
        with experiment.run(spec, parent_key=parent_key) as tracker:
            for epoch, metrics in history.get((run.fold, run.seed), ()):
                tracker.log_metrics(metrics, step=epoch)
            complete(tracker, run, folder)
    return len(missing)


def _check_artifacts(folder: Path, runs: Iterable[RunRecord]) -> None:
    """Raise LineageError naming every artifact that is not there."""
    paths = sorted({path for run in runs for path, _ in run.artifacts})
    lost = [path for path in paths if not (folder / path).exists()]
    if lost:
        raise LineageError(
            f"{folder}: run.json names files that are missing: {', '.join(lost)}; "
            "`dvc checkout` brings them back"
        )


_History = dict[tuple[int | None, int | None], list[tuple[int, dict[str, float]]]]


def _read_history(path: Path) -> _History:
    """Return (fold, seed) -> (epoch, metrics) in order of epoch; empty without a file."""
    history: _History = {}
    if not path.exists():
        return history
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                fold, seed, epoch = (int(row.pop(key)) for key in HISTORY_KEYS)
                metrics = {key: float(value) for key, value in row.items() if value != ""}
            except (KeyError, TypeError, ValueError) as error:
                raise LineageError(
                    f"{path}:{number}: expected whole numbers in fold, seed, epoch and numbers in "
                    f"the other columns: {error!r}; `dvc checkout` brings the file back"
                ) from error
            history.setdefault((fold, seed), []).append((epoch, metrics))
    for epochs in history.values():
        epochs.sort(key=lambda item: item[0])
    return history
