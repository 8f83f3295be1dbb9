"""A cell's runs as files: how they are logged, and how they come back to the tracker.

Training logs what it knows while it runs, and leaves `run.json`. Scores are added to it and
to the tracker later, by whoever reads the predictions; figures last. DVC can restore a
cell's folder from its cache without running anything; the runs that belong to it are then
recorded again from `run.json` and `history.csv`. So the tracker shows the same, whichever
way the results came.
"""

import csv
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ser import files, lineage
from ser.cell_folders import CellFolder
from ser.contracts import DatasetReference, Experiment, RunSpec, Tracker
from ser.errors import FileError, LineageError
from ser.project import Project
from ser.tracking.provenances import Whence

#: What helps where results are of other params than those of params.yaml.
CURE = "run `dvc repro`, or go back to the params that made it: `make use PRESET=<name>`"

#: The columns of history.csv before those of the metrics.
HISTORY_KEYS = ("fold", "seed", "epoch")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it is kept on disk.

    Args:
        spec: What it is opened with.
        fold: Test fold, or None for the run of the whole cell.
        seed: Seed of the run, or None for the run of the whole cell.
        metrics: Final values that training knows, keys that are not recorded per epoch.
        artifacts: What training leaves: pairs of a path relative to the cell's folder and a
            folder among the run's artifacts (empty is the top).
        scores: Final values of the test part; empty before the cell is scored.
        score_artifacts: What scoring leaves, pairs as above.
    """

    spec: RunSpec
    fold: int | None = None
    seed: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: tuple[tuple[str, str], ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    score_artifacts: tuple[tuple[str, str], ...] = ()


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

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """All of them, the parent first."""
        return (self.cell, *self.folds)


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


def write(cell: CellFolder, record: CellRecord) -> None:
    """Write a cell's record to `run.json`; values that are not finite become null.

    Args:
        cell: The cell's folder, which exists.
        record: The cell.
    """
    content = asdict(record)
    for run in (content["cell"], *content["folds"]):
        for name in ("metrics", "scores"):
            run[name] = {
                key: value if math.isfinite(value) else None for key, value in run[name].items()
            }
    files.write_json(cell.record, content, sort_keys=True)


def read(cell: CellFolder) -> CellRecord:
    """Read a cell's record from `run.json`.

    Args:
        cell: The cell's folder.

    Returns:
        The record as it was written.

    Raises:
        FileError: The file is missing or is not such a record.
    """
    return files.read_json(
        cell.record,
        _cell_record,
        what="the record of a cell",
        cure="`dvc checkout` brings it back, `dvc repro` makes it anew",
    )


def _cell_record(content: Mapping[str, Any]) -> CellRecord:
    return CellRecord(
        experiment=content["experiment"],
        note=content["note"],
        experiment_tags=content["experiment_tags"],
        cell=_run_record(content["cell"]),
        folds=tuple(_run_record(item) for item in content["folds"]),
    )


def _run_record(content: Mapping[str, Any]) -> RunRecord:
    datasets = tuple(DatasetReference(**item) for item in content["spec"]["datasets"])
    return RunRecord(
        spec=RunSpec(**{**content["spec"], "datasets": datasets}),
        fold=content["fold"],
        seed=content["seed"],
        metrics=_values(content["metrics"]),
        artifacts=tuple((path, folder) for path, folder in content["artifacts"]),
        scores=_values(content["scores"]),
        score_artifacts=tuple((path, folder) for path, folder in content["score_artifacts"]),
    )


def _values(content: Mapping[str, float | None]) -> dict[str, float]:
    return {key: math.nan if value is None else float(value) for key, value in content.items()}


def require_data(cell: CellFolder, project: Project) -> CellRecord:
    """Refuse a cell that was trained on another manifest or other folds than those in data/.

    Args:
        cell: The cell's folder, trained or scored.
        project: Where the data are.

    Returns:
        Its record.

    Raises:
        FileError: The cell's record, or a file of the data, is missing or damaged.
        LineageError: It was trained on something else.
    """
    record = read(cell)
    tags = record.cell.spec.tags
    for what, path in (("manifest", project.manifest), ("split", project.splits)):
        if not path.is_file():
            raise FileError(f"{path}: no such file; {files.REPRO}")
        if tags.get(f"ser.{what}_sha256") != lineage.sha256_file(path):
            said = tags.get("ser.task", tags.get("ser.corpus", "unknown"))
            raise LineageError(
                f"{cell.folder}: it was trained on another {what} than {path} (a cell of {said}); "
                f"{CURE}"
            )
    return record


def restore(
    cell: CellFolder,
    open_: Callable[..., Experiment],
    *,
    trained: CellFolder | None = None,
    root: Path = Path(),
) -> int:
    """Bring the tracker to what a cell's folder says: runs that it lacks, scores that it lacks.

    Args:
        cell: The cell's folder, scored or only trained.
        open_: Opens an experiment: called with its name and `note` and `tags` by keyword,
            as `ser.tracking.mlflow_tracker.open_experiment`.
        trained: The folder that training left, where `cell` is the scored one: the commit that has
            it is that of the runs whose folds are not kept.
        root: The project's root.

    Returns:
        How many runs were recorded again; 0 if the tracker had them all.

    Raises:
        FileError, LineageError: The folder lacks a file that a run is made of.
        ParamsError: dvc.lock is not YAML.
        TrackingError: The tracking store cannot be used.
    """
    record = read(cell)
    experiment = open_(record.experiment, note=record.note, tags=record.experiment_tags)
    missing = [run for run in record.runs if not experiment.is_finished(run.spec.run_key)]
    _check_artifacts(cell.folder, record.runs)
    history = _read_history(cell.history) if missing else {}
    whence = Whence(Project(root), (trained or cell).folder)
    for run in missing:
        is_cell = run is record.cell
        keys = [part.spec.run_key for part in (record.folds if is_cell else [run])]
        parent_key = None if is_cell else record.cell.spec.run_key
        spec = restored(whence.described(run.spec, keys))
        with experiment.run(spec, parent_key=parent_key) as tracker:
            for epoch, metrics in history.get((run.fold, run.seed), ()):
                tracker.log_metrics(metrics, step=epoch)
            complete(tracker, run, cell.folder)
            if not is_cell and (kept := whence.kept(run.spec.run_key)):
                tracker.log_artifact(kept)
    for run in record.runs:
        if run.scores:
            _add_scores(experiment, run, cell.folder)
    return len(missing)


def restored(spec: RunSpec) -> RunSpec:
    """Return a run marked as recorded again.

    Its start and end are those of the restoration; whoever reads durations must know.
    """
    return replace(spec, tags={**spec.tags, "ser.restored": "true"})


def _add_scores(experiment: Experiment, run: RunRecord, folder: Path) -> None:
    values = {key: repr(value) for key, value in run.scores.items()}
    paths = [folder / path for path, _ in run.score_artifacts]
    digest = _digest(values, paths)
    with experiment.amend(run.spec.run_key, topic="scores", digest=digest) as tracker:
        tracker.log_metrics(run.scores)
        for path, destination in run.score_artifacts:
            tracker.log_artifact(folder / path, folder=destination)


def is_of(scored: CellFolder, trained: CellFolder) -> bool:
    """Return whether a scored cell's folder is there and holds the runs of a trained cell."""
    if not scored.record.is_file():
        return False
    return read(scored).cell.spec.run_key == read(trained).cell.spec.run_key


def add_figures(cell: CellFolder, figures: CellFolder, open_: Callable[..., Experiment]) -> None:
    """Keep a cell's figures with its runs, each figure once, as PNG.

    Args:
        cell: The cell's folder; its runs are recorded.
        figures: Holds the cell's figures, and those of a fold below `fold-<k>/seed-<s>`.
        open_: See `restore`.

    Raises:
        FileError: The cell has no record.
        TrackingError: A run is not recorded, or the tracking store cannot be used.
    """
    record = read(cell)
    experiment = open_(record.experiment, note=record.note, tags=record.experiment_tags)
    for run in record.runs:
        if run.fold is None or run.seed is None:
            folder = figures.folder
        else:
            folder = figures.fold(run.fold, run.seed).folder
        drawn = sorted(folder.glob("*.png"))  # the SVG beside it is the same picture
        if not drawn:
            continue
        with experiment.amend(
            run.spec.run_key, topic="figures", digest=_digest({}, drawn)
        ) as tracker:
            for path in drawn:
                tracker.log_artifact(path, folder="figures")


def _digest(values: Mapping[str, str], paths: Iterable[Path]) -> str:
    content = {"values": dict(values), "files": {p.name: lineage.sha256_file(p) for p in paths}}
    return lineage.sha256_text(lineage.canonical_json(content))


def _check_artifacts(folder: Path, runs: Iterable[RunRecord]) -> None:
    """Raise LineageError naming every artifact that is not there."""
    named = {path for run in runs for path, _ in (*run.artifacts, *run.score_artifacts)}
    paths = sorted(named)
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
