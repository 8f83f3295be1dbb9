"""Experiments that are asked once what they hold, for whoever brings many cells back."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ser.contracts import RunSpec, Tracker
from ser.tracking import local_runs, place
from ser.tracking.recording import SilentTracker

if TYPE_CHECKING:
    from ser.tracking.mlflow_tracker import MlflowExperiment


class KnownExperiment:
    """An experiment whose finished runs are known; see `ser.contracts.Experiment`.

    What is known is complete already needs no question: a finished run stays as it is. All else
    is left to the experiment, which looks again; it is opened for that, and not before.

    Args:
        open_: Opens the experiment.
        recorded: Run key -> tags of its finished runs, where they are known without opening it.
    """

    def __init__(
        self,
        open_: "Callable[[], MlflowExperiment]",
        recorded: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self._open = open_
        self._tags = self._experiment.recorded() if recorded is None else recorded

    @cached_property
    def _experiment(self) -> "MlflowExperiment":
        return self._open()

    @contextmanager
    def run(self, spec: RunSpec, *, parent_key: str | None = None) -> Iterator[Tracker]:
        """Open, resume or silence the run of a key."""
        with self._experiment.run(spec, parent_key=parent_key) as tracker:
            yield tracker
        self._tags.setdefault(spec.run_key, {})

    def is_finished(self, run_key: str) -> bool:
        """Return whether the run of a key is recorded to its end."""
        return run_key in self._tags

    @contextmanager
    def amend(self, run_key: str, *, topic: str, digest: str) -> Iterator[Tracker]:
        """Add to a finished run what was found out later; silent if it has that already."""
        if self._tags.get(run_key, {}).get(f"ser.{topic}_sha256") == digest:
            yield SilentTracker()
            return
        with self._experiment.amend(run_key, topic=topic, digest=digest) as tracker:
            yield tracker


def opening_once(root: Path) -> Callable[..., KnownExperiment]:
    """Return a function that opens experiments of a project, each of them once.

    It is called as `ser.tracking.mlflow_tracker.open_experiment` is. An experiment in a database
    on this machine is opened only where something is missing in it.

    Args:
        root: The project's root.
    """
    uri = place.default_uri(root)

    @functools.cache
    def known(name: str, note: str, tags: tuple[tuple[str, str], ...]) -> KnownExperiment:
        def open_() -> "MlflowExperiment":
            # Here, not at the top: MLflow takes seconds.
            from ser.tracking.mlflow_tracker import open_experiment

            return open_experiment(name, note=note, tags=dict(tags), root=root)

        found = local_runs.find(uri, name)
        is_known = found is not None and found.is_described(note, dict(tags))
        return KnownExperiment(open_, found.recorded if found and is_known else None)

    def open_once(name: str, *, note: str, tags: Mapping[str, str]) -> KnownExperiment:
        return known(name, note, tuple(sorted(tags.items())))

    return open_once
