"""What training needs from an experiment tracker: a small protocol."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class DatasetReference:
    """Data a run was made from, by digest.

    Args:
        name: E.g. `manifest`.
        digest: SHA-256, hexadecimal.
        source: Path relative to the project's root.
        context: What the run used it for: `training` or `evaluation`.
    """

    name: str
    digest: str
    source: str
    context: str


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything a run is opened with.

    Args:
        name: `<model>-<loss>` or `<model>-<loss>/fold-<k>/seed-<s>`.
        run_key: Hash of everything that decides the result; one run per key, ever.
        tags: `ser.*` tags, strings.
        params: The parsed params, defaults included; nested mappings become dotted keys.
        note: Markdown shown at the top of the run's page.
        datasets: What it was made from.
    """

    name: str
    run_key: str
    tags: Mapping[str, str]
    params: Mapping[str, Any]
    note: str = ""
    datasets: tuple[DatasetReference, ...] = field(default=())


class Tracker(Protocol):
    """One open run."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Record metrics, all in one request; a step already recorded is left alone.

        Args:
            metrics: Key -> value; a value that is not finite is left out with a warning.
            step: Epoch, at least 0; None is a single value rather than a curve.

        Raises:
            ValueError: A single value for a metric recorded per epoch.
        """

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Copy a file, or a folder with all its files, into the run's artifacts.

        Args:
            path: What to copy; it arrives as `<folder>/<its name>`.
            folder: Where among the artifacts; empty is the top.

        Raises:
            TrackingError: No such file or folder.
        """

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""


class Experiment(Protocol):
    """A named collection of runs, at most one per run key."""

    def run(
        self, spec: RunSpec, *, parent_key: str | None = None
    ) -> AbstractContextManager[Tracker]:
        """Open a run, resume the unfinished one of the same key, or be silent if it is finished.

        Args:
            spec: What the run is.
            parent_key: Run key of the parent, for a nested run.

        Returns:
            A context manager: leaving it normally finishes the run, an exception fails it,
            an interrupt marks it killed.
        """

    def amend(self, run_key: str, *, topic: str, digest: str) -> AbstractContextManager[Tracker]:
        """Add to a finished run what was found out later: its scores, its figures.

        Args:
            run_key: Of the run.
            topic: What is added, one word.
            digest: SHA-256 of it. A run that has been given the same before stays as it is
                (the tracker is silent); new values replace old ones.

        Returns:
            A context manager; leaving it normally notes the digest with the run.
        """
