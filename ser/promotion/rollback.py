"""Going back to the champion before, as a run that says from which version to which."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ser import lineage
from ser.contracts import RunSpec, Tracker
from ser.promotion import records
from ser.registry.version import CHAMPION, Version
from ser.registry.versions import PROMOTED, ROLLED_BACK, Registry
from ser.tracking import store
from ser.tracking.mlflow_tracker import MlflowExperiment
from ser.tracking.recording import RUN_KEY

#: How a run stands that was not brought to its end: by SIGKILL or a full disk, or by Ctrl-C.
_CUT_SHORT = ("RUNNING", "KILLED")


def go_back(name: str, registry: Registry, *, root: Path) -> tuple[Version, Version]:
    """Give the alias champion back to the version that had it before; track that.

    Args:
        name: Of the registered model.
        registry: Where it is.
        root: The project's root.

    Returns:
        The champion that was left, and the champion of now. Where an earlier rollback moved the
        alias and was cut short, this ends its run and moves nothing.

    Raises:
        RegistryError: See `ser.registry.versions.Registry.rollback`; the run has failed then.
        TrackingError: The store cannot be used.
    """
    present = registry.require(name, CHAMPION)
    experiment = records.open_experiment(present.tags, root=root, tracking_uri=registry.uri)
    begun = _unfinished(name, registry, experiment)
    if begun is not None and begun.version != present.number:
        # The alias has moved, and its run was not ended: to move it once more was not asked for.
        left = registry.require(name, begun.version)
        with experiment.run(_spec(left, begun.run_key)) as tracker:
            _say_done(tracker, left, present)
        return left, present
    run_key = _run_key(present) if begun is None else begun.run_key
    with experiment.run(_spec(present, run_key)) as tracker:
        left, now = registry.rollback(name)
        _say_done(tracker, left, now)
    return left, now


class _Begun(NamedTuple):
    """A rollback that was not ended: which version it leaves, and the key of its run."""

    version: int
    run_key: str


def _unfinished(name: str, registry: Registry, experiment: MlflowExperiment) -> _Begun | None:
    """Return the latest rollback of a model that an interruption or a full disk cut short.

    One of a version that is champion goes on; one of another counts if that version was left
    since it began.
    """
    with store.translated(registry.uri):
        runs = registry.client.search_runs(
            [experiment.experiment_id],
            filter_string="tags.`ser.decision` = 'rollback'",
            order_by=["attributes.start_time DESC"],
        )
    champion = registry.require(name, CHAMPION).number
    for run in runs:
        of, _, number = run.data.tags.get("ser.model_version", "").rpartition("/")
        if of != name or run.info.status not in _CUT_SHORT:
            continue
        version = registry.resolve(name, int(number))
        if version is None:
            continue
        rolled_back = version.tags.get(ROLLED_BACK)
        began_s = run.info.start_time // 1000  # tags of before had whole seconds
        since = rolled_back and datetime.fromisoformat(rolled_back).timestamp() >= began_s
        if version.number == champion or since:
            return _Begun(version.number, run.data.tags[RUN_KEY])
    return None


def _spec(left: Version, run_key: str) -> RunSpec:
    """Return the run that says that a version is left."""
    return RunSpec(
        name=f"roll back {left.title}",
        run_key=run_key,
        tags={
            "ser.decision": "rollback",
            "ser.model_version": f"{left.name}/{left.number}",
            "ser.cell": left.tags.get("ser.cell", ""),
        },
        params={},
        note=f"`ser rollback` takes the alias {CHAMPION} from {left.title} of `{left.name}`.",
    )


def _say_done(tracker: Tracker, left: Version, now: Version) -> None:
    link = f"[{now.title}](#/models/{now.name}/versions/{now.number})"
    tracker.set_tags(
        {
            "ser.decision": "rolled back",
            "ser.champion": f"{now.name}/{now.number}",
            "mlflow.note.content": f"{left.title} of `{left.name}` was champion; {link} is again.",
        }
    )


def _run_key(present: Version) -> str:
    """Return what tells a rollback from others: the version may be champion more than once."""
    times = [present.tags.get(tag, "never") for tag in (PROMOTED, ROLLED_BACK)]
    text = " ".join(["rollback", present.name, str(present.number), *times])
    return lineage.sha256_text(text)[:32]
