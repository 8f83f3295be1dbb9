"""Experiments that are asked once what they hold, for whoever brings many cells back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ser.contracts import RunSpec, Tracker
from ser.tracking.mlflow_tracker import MlflowExperiment
from ser.tracking.recording import SilentTracker


class KnownExperiment:
    """An experiment whose finished runs are known; see `ser.contracts.Experiment`.

    What is known is complete already needs no question: a finished run stays as it is. All else
    is left to the experiment, which looks again.

    Args:
        experiment: The experiment.
    """

    def __init__(self, experiment: MlflowExperiment) -> None:
        self._experiment = experiment
        self._tags = experiment.recorded()

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


def opening_once(open_: Callable[..., MlflowExperiment]) -> Callable[..., KnownExperiment]:
    """Return a function that opens experiments as another does, each of them once.

    Args:
        open_: `ser.tracking.mlflow_tracker.open_experiment`.
    """
    opened: dict[tuple[str, str, tuple[tuple[str, str], ...]], KnownExperiment] = {}

    def open_once(name: str, *, note: str, tags: Mapping[str, str]) -> KnownExperiment:
        key = (name, note, tuple(sorted(tags.items())))
        if key not in opened:
            opened[key] = KnownExperiment(open_(name, note=note, tags=tags))
        return opened[key]

    return open_once
