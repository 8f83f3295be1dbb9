"""Going back to the champion before, as a run that says from which version to which."""

from pathlib import Path

from ser import lineage
from ser.contracts import RunSpec
from ser.promotion import records
from ser.registry.versions import CHAMPION, PROMOTED, ROLLED_BACK, Registry, Version


def go_back(name: str, registry: Registry, *, root: Path) -> tuple[Version, Version]:
    """Give the alias champion back to the version that had it before; track that.

    Args:
        name: Of the registered model.
        registry: Where it is.
        root: The project's root.

    Returns:
        The champion that was left, and the champion of now.

    Raises:
        RegistryError: See `ser.registry.versions.Registry.rollback`; the run has failed then.
        TrackingError: The store cannot be used.
    """
    present = registry.require(name, CHAMPION)
    experiment = records.open_experiment(present.tags, root=root, tracking_uri=registry.uri)
    spec = RunSpec(
        name=f"roll back {present.title}",
        run_key=_run_key(present),
        tags={
            "ser.decision": "rollback",
            "ser.model_version": f"{name}/{present.number}",
            "ser.cell": present.tags.get("ser.cell", ""),
        },
        params={},
        note=f"`ser rollback` takes the alias {CHAMPION} from {present.title} of `{name}`.",
    )
    with experiment.run(spec) as tracker:
        left, now = registry.rollback(name)
        link = f"[{now.title}](#/models/{name}/versions/{now.number})"
        tracker.set_tags(
            {
                "ser.decision": "rolled back",
                "ser.champion": f"{name}/{now.number}",
                "mlflow.note.content": f"{left.title} of `{name}` was champion; {link} is again.",
            }
        )
    return left, now


def _run_key(present: Version) -> str:
    """Return what tells a rollback from others: the version may be champion more than once."""
    times = [present.tags.get(tag, "never") for tag in (PROMOTED, ROLLED_BACK)]
    text = " ".join(["rollback", present.name, str(present.number), *times])
    return lineage.sha256_text(text)[:32]
