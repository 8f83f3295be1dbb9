"""Runs recorded in MLflow: one per run key, resumed or silent instead of logged twice."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ser import runtime
from ser.contracts import RunSpec, Tracker
from ser.errors import TrackingError
from ser.project import Project
from ser.tracking import machine, outage, place, store, views
from ser.tracking._described import run_tags
from ser.tracking.mlflow_run import STAYS_AWAY, MlflowRun, PartOfRun, TrainingRun
from ser.tracking.recording import (
    RUN_KEY,
    MetricSteps,
    SilentTracker,
    check_run_key,
)
from ser.tracking.store import Client
from ser.wording import without_password

logger = logging.getLogger(__name__)

_FINISHED = "FINISHED"


def open_experiment(
    name: str,
    *,
    note: str,
    tags: Mapping[str, str],
    tracking_uri: str | None = None,
    root: Path = Path(),
    is_training: bool = False,
) -> "MlflowExperiment":
    """Open an experiment, creating it and a local store as needed.

    Args:
        name: `ser/<task>/<protocol>`.
        note: Markdown shown at the top of the experiment's page.
        tags: Tags of the experiment. With `ser.headline`, a metric, it gets a leaderboard that is
            ordered by it, see `ser.tracking.views`, and a link to that in its note.
        tracking_uri: Where runs go; None is MLFLOW_TRACKING_URI or mlruns/mlflow.db.
        root: The project's root.
        is_training: Its runs are trainings: each parent run records what the machine does, see
            `ser.tracking.machine`, and a server that goes away ends none of them.

    Returns:
        The experiment.

    Raises:
        TrackingError: The store cannot be used, the experiment was deleted, or the project
            has moved since it was made.
    """
    uri = tracking_uri or store.default_uri(root)
    client = store.connect(uri)
    with store.translated(uri):
        experiment = client.get_experiment_by_name(name) or _create(client, uri, name, tags)
        has = experiment.tags
        _tag(client, experiment, views.experiment_tags(note, tags, experiment.experiment_id, has))
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"tracking store {without_password(uri)}: the experiment {name!r} was deleted; bring "
            f"it back with `mlflow experiments restore --experiment-id {experiment.experiment_id}`"
        )
    database = store.database_path(uri)
    if database and place.former_folder(database, name, experiment.artifact_location):
        raise TrackingError(
            f"tracking store {without_password(uri)}: artifacts of {name!r} would go to "
            f"{experiment.artifact_location}, but the project lies elsewhere now; "
            "`ser doctor --fix` corrects the paths"
        )
    return MlflowExperiment(client, experiment.experiment_id, uri, root, is_training)


def _create(client: MlflowClient, uri: str, name: str, tags: Mapping[str, str]) -> Any:
    """Create an experiment with its tags, or return it if another process was faster."""
    database = store.database_path(uri)
    location = None
    if database is not None:
        folder = place.artifact_folder(database, name)
        folder.mkdir(parents=True, exist_ok=True)
        location = str(folder)
    try:
        made = client.create_experiment(name, artifact_location=location, tags=dict(tags))
        return client.get_experiment(made)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return client.get_experiment_by_name(name)


def _tag(client: MlflowClient, experiment: Any, tags: Mapping[str, str]) -> None:
    """Set the tags that an experiment does not have."""
    for key, value in tags.items():
        if experiment.tags.get(key) == value:
            continue
        try:
            client.set_experiment_tag(experiment.experiment_id, key, value)
        except MlflowException:
            # Two that set a new tag at once collide in the database; the other one has set it.
            if client.get_experiment(experiment.experiment_id).tags.get(key) != value:
                raise


@dataclass(frozen=True, slots=True)
class MlflowExperiment:
    """An experiment in MLflow; see `ser.contracts.Experiment`.

    Args:
        client: Speaks to the store.
        experiment_id: MLflow's id.
        uri: Tracking URI, named in errors.
        root: The project's root; locks lie under its `work/locks/`.
        is_training: See `open_experiment`.
    """

    client: Client
    experiment_id: str
    uri: str
    root: Path
    is_training: bool = False
    _unrecorded: set[str] = field(default_factory=set)

    @contextmanager
    def run(self, spec: RunSpec, *, parent_key: str | None = None) -> Iterator[Tracker]:
        """Open, resume or silence the run of a key; see the protocol.

        Raises:
            TrackingError: Another process records the same key just now, the parent is
                unknown, or the store fails.
        """
        with (
            self._only_one(spec.name, spec.run_key),
            store.translated(self.uri),
            # Cut in two while the store opens or closes it, a run would be RUNNING for good, and
            # nobody here would know of it.
            runtime.holding_interrupts() as held,
        ):
            run = self._opened(spec, parent_key)
            if run is None:
                with held.let_through():
                    yield SilentTracker()
                return
            is_watched = self.is_training and parent_key is None
            watching = machine.watching(run.id, self.uri) if is_watched else nullcontext()
            try:
                with held.let_through(), watching:
                    run.describe(spec)
                    yield run
                    run.send()
            except BaseException as error:
                _close(run, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
                raise
            run.end(_FINISHED)

    @contextmanager
    def part(self, spec: RunSpec, *, parent_key: str) -> Iterator[Tracker]:
        """Open the run of a key for its epochs; `run` completes it later, maybe elsewhere.

        Leaving the block leaves the run unfinished; an exception closes it, as in `run`. Once it
        is open, no failure of the store reaches whoever trains.

        Args:
            spec: What the run is.
            parent_key: Run key of the parent, which `announce` has made.

        Raises:
            TrackingError: It cannot be opened; see `run`.
        """
        with (
            self._only_one(spec.name, spec.run_key),
            store.translated(self.uri),
            runtime.holding_interrupts() as held,
        ):
            run = self._begin(spec, parent_key, PartOfRun)
            if not isinstance(run, PartOfRun):
                with held.let_through():
                    yield SilentTracker()
                return
            try:
                with held.let_through():
                    run.describe(spec)
                    yield run
                    run.leave()
            except BaseException as error:
                _close(run, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
                raise

    def announce(self, spec: RunSpec) -> None:
        """Make the run of a key, for others to nest theirs in it; one that is there stays as it is.

        It is RUNNING until `run` ends it.

        Raises:
            TrackingError: Another process records the same key just now, or the store fails.
        """
        with self._only_one(spec.name, spec.run_key), store.translated(self.uri):
            if self._find(spec.run_key) is None:
                self._start(spec, None)

    @contextmanager
    def amend(self, run_key: str, *, topic: str, digest: str) -> Iterator[Tracker]:
        """Add to a finished run what was found out later; see the protocol.

        Raises:
            TrackingError: No finished run has the key, another process records it just
                now, or the store fails.
        """
        tag = f"ser.{topic}_sha256"
        with self._only_one(topic, run_key), store.translated(self.uri):
            found = self._find(run_key)
            if found is None or found.info.status != _FINISHED:
                raise TrackingError(
                    f"tracking store {without_password(self.uri)}: no finished run has the key "
                    f"{run_key}, so its "
                    f"{topic} cannot be added; `ser restore-runs` brings the run back"
                )
            if found.data.tags.get(tag) == digest:
                yield SilentTracker()
                return
            run = MlflowRun(self.client, found, MetricSteps())
            yield run
            run.send()
            # Last, so that an interruption before it is made good by the next attempt.
            run.set_tags({tag: digest})

    def is_finished(self, run_key: str) -> bool:
        """Return whether the run of a key is recorded to its end."""
        with store.translated(self.uri):
            found = self._find(run_key)
        return found is not None and found.info.status == _FINISHED

    def recorded(self) -> dict[str, dict[str, str]]:
        """Return run key -> tags of all runs that are recorded to their end."""
        found: dict[str, dict[str, str]] = {}
        with store.translated(self.uri):
            for run in store.runs(self.client, self.experiment_id, status=_FINISHED):
                if RUN_KEY in run.data.tags:  # the latest comes first, as in `_find`
                    found.setdefault(run.data.tags[RUN_KEY], dict(run.data.tags))
        return found

    def run_id(self, run_key: str) -> str | None:
        """Return MLflow's id of the run of a key, or None if there is none."""
        with store.translated(self.uri):
            found = self._find(run_key)
        return None if found is None else found.info.run_id

    @contextmanager
    def _only_one(self, name: str, run_key: str) -> Iterator[None]:
        """Hold the key's lock; two processes must not record one run."""
        folder = Project(self.root).locks
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{check_run_key(run_key)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise TrackingError(
                f"run {name} ({run_key}): another process is recording it; wait for "
                f"it or end it (it holds {lock.lock_file})"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _find(self, run_key: str) -> Run | None:
        """Return the run of a key: a finished one if there is any, else the latest."""
        runs = self.client.search_runs(
            [self.experiment_id],
            filter_string=f"tags.`{RUN_KEY}` = '{check_run_key(run_key)}'",
            order_by=["attributes.start_time DESC"],
        )
        finished = [run for run in runs if run.info.status == _FINISHED]
        return next(iter([*finished, *runs]), None)

    def _opened(self, spec: RunSpec, parent_key: str | None) -> MlflowRun | None:
        """Return a key's run, or None where it is finished or its training goes on without it."""
        if parent_key in self._unrecorded:
            self._unrecorded.add(spec.run_key)
            return None
        try:
            # As a whole: whoever only made the run again would have two, had the first been made.
            return self.client.patience.call(partial(self._begin, spec, parent_key))
        except store.FAILURES as error:
            if not self.is_training or not outage.is_away(error):
                raise
            logger.warning("run %s: %s", spec.name, STAYS_AWAY)
            self._unrecorded.add(spec.run_key)
            return None

    def _begin(
        self, spec: RunSpec, parent_key: str | None, kind: type[MlflowRun] | None = None
    ) -> MlflowRun | None:
        """Start or resume the run of a key, or return None where it is finished."""
        found = self._find(spec.run_key)
        if found is not None and found.info.status == _FINISHED:
            return None
        run = self._resume(found, spec) if found else self._start(spec, parent_key)
        return (kind or (TrainingRun if self.is_training else MlflowRun))(self.client, run)

    def _start(self, spec: RunSpec, parent_key: str | None) -> Run:
        tags = run_tags(spec)
        if parent_key is not None:
            parent = self._find(parent_key)
            if parent is None:
                raise TrackingError(f"run {spec.name}: no parent run has the key {parent_key}")
            tags["mlflow.parentRunId"] = parent.info.run_id
        return self.client.create_run(self.experiment_id, tags=tags, run_name=spec.name)

    def _resume(self, found: Run, spec: RunSpec) -> Run:
        run_id = found.info.run_id
        self.client.update_run(run_id, status="RUNNING")
        MlflowRun(self.client, found).set_tags(run_tags(spec))
        logger.info("run %s: taking up %s", spec.name, run_id)
        return self.client.get_run(run_id)


def _close(run: MlflowRun, status: str) -> None:
    """End a run that did not come to its end."""
    for act in (run.send, partial(run.end, status)):
        try:
            with outage.at_once():
                act()
        except store.FAILURES as unclosed:
            # The first error is the one to see; this one, e.g. of a full disk, is a line.
            said = str(unclosed).strip().partition("\n")[0]
            logger.warning("run %s could not be closed as %s: %s", run.id, status, said)
