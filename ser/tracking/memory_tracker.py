"""Runs recorded in memory, with the semantics of the real tracker: for tests and dry runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ser.contracts import RunSpec, Tracker
from ser.errors import TrackingError
from ser.tracking.recording import MetricSteps, check_run_key, flatten


@dataclass(slots=True)
class MemoryRun:
    """What one run recorded.

    Args:
        spec: What it was opened with.
        parent_key: Run key of its parent, or None.
        status: `RUNNING`, `FINISHED`, `FAILED` or `KILLED`.
        params: Flattened, as texts.
        tags: The spec's, and those set later.
        metrics: Metric -> (step, value) in order of recording.
        artifacts: `/`-separated path -> bytes.
    """

    spec: RunSpec
    parent_key: str | None
    status: str = "RUNNING"
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    steps: MetricSteps = field(default_factory=MetricSteps)


class MemoryTracker:
    """One open run in memory; see `ser.contracts.Tracker`.

    Args:
        run: Where to record; None records nothing, as for a finished run.
    """

    def __init__(self, run: MemoryRun | None) -> None:
        self._run = run

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Record metrics; see the protocol."""
        if self._run is None:
            return
        for key, value in self._run.steps.accept(metrics, step=step).items():
            self._run.metrics.setdefault(key, []).append((step or 0, value))

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Keep the bytes of a file, or of a folder's files; see the protocol.

        Raises:
            TrackingError: There is no such file or folder.
        """
        if self._run is None:
            return
        if not path.exists():
            raise TrackingError(f"{path}: no such file or folder to keep with the run")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                name = (Path(folder) / file.relative_to(path.parent)).as_posix()
                self._run.artifacts[name] = file.read_bytes()

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""
        if self._run is not None:
            self._run.tags.update(tags)


class MemoryExperiment:
    """An experiment in memory; see `ser.contracts.Experiment`.

    Attributes:
        runs: Run key -> what was recorded.
    """

    def __init__(self) -> None:
        self.runs: dict[str, MemoryRun] = {}
        self._open: set[str] = set()

    @contextmanager
    def run(self, spec: RunSpec, *, parent_key: str | None = None) -> Iterator[Tracker]:
        """Open, resume or silence the run of a key; see the protocol.

        Raises:
            TrackingError: The key is being recorded already, or the parent is unknown.
        """
        key = check_run_key(spec.run_key)
        if self.is_finished(key):
            yield MemoryTracker(None)
            return
        if key in self._open:
            raise TrackingError(f"run {spec.name} ({key}): it is being recorded already")
        if parent_key is not None and parent_key not in self.runs:
            raise TrackingError(f"run {spec.name}: no parent run has the key {parent_key}")
        run = self.runs.setdefault(key, MemoryRun(spec, parent_key))
        run.params = {**flatten(spec.params), **run.params}
        run.tags.update(spec.tags)
        run.status = "RUNNING"
        self._open.add(key)
        try:
            yield MemoryTracker(run)
        except BaseException as error:
            run.status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            raise
        else:
            run.status = "FINISHED"
        finally:
            self._open.discard(key)

    @contextmanager
    def amend(self, run_key: str, *, topic: str, digest: str) -> Iterator[Tracker]:
        """Add to a finished run what was found out later; see the protocol.

        Raises:
            TrackingError: No finished run has the key.
        """
        if not self.is_finished(run_key):
            raise TrackingError(f"no finished run has the key {run_key}: no {topic} can be added")
        run, tag = self.runs[run_key], f"ser.{topic}_sha256"
        if run.tags.get(tag) == digest:
            yield MemoryTracker(None)
            return
        run.steps = MetricSteps()
        yield MemoryTracker(run)
        run.tags[tag] = digest

    def is_finished(self, run_key: str) -> bool:
        """Return whether the run of a key is recorded to its end."""
        return run_key in self.runs and self.runs[run_key].status == "FINISHED"
