"""Which model answers: an address of MLflow's registry, the folder of a bundle, or the champion.

What is heavy is imported by the functions, after the environment is set.
"""

import tempfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ser import runtime
from ser.errors import RegistryError
from ser.project import Project

if TYPE_CHECKING:
    from ser.api.recogniser import Recogniser
    from ser.promotion.champion import ChampionLine
    from ser.registry.version import Version

#: What an address of MLflow's registry begins with.
_ADDRESS = "models:/"


def load(
    model: str | PathLike[str] | None = None,
    *,
    root: str | PathLike[str] = ".",
    device: str = "cpu",
) -> "Recogniser":
    """Load a model that answers in this process.

    The files of a registered model are compared with their digests before any of them is used;
    nothing is kept on the disk. MLflow's own settings stay as they are.

    Args:
        model: `models:/<name>@champion`, `models:/<name>/<version>`, or a folder that `ser export
            --format bundle` wrote; None: the champion of params.yaml, which must be of its corpus
            and classes.
        root: The project's root, whose registry is asked unless `MLFLOW_TRACKING_URI` names
            another one.
        device: Where the network computes, e.g. `cpu` or `cuda`.

    Returns:
        What answers.

    Raises:
        RegistryError: There is no such model or registry, its files are not those that were
            registered, or the champion is of other classes or recordings.
        BundleError, FileError, ParamsError: The bundle is damaged or of another version, or no
            model was named and there is no valid params.yaml.
        WeightsError: It pins a checkpoint that is not on this machine.
        TrackingError: The registry cannot be asked.
    """
    runtime.configure(runtime.OF_A_LIBRARY)
    from ser.api.recogniser import Recogniser
    from ser.serving.predictor import Predictor

    asked = None if model is None else str(model)
    with tempfile.TemporaryDirectory() as scratch:
        uri, place = find(asked, Path(scratch), root=Path(root))
        return Recogniser(Predictor.load(place, device=device), uri, registered_as(place))


def registered_as(place: Path) -> dict[str, str]:
    """Return `model_name` and `model_version` of a bundle; empty where it is not registered."""
    from ser.registry.identity import registered_as

    return {key: str(value) for key, value in registered_as(place).items()}


def find(
    model: str | None,
    folder: Path,
    *,
    root: Path = Path(),
    takes_exported: bool = True,
    said_as: str = "model",
) -> tuple[str, Path]:
    """Return the address and the bundle of a model, fetched into a folder.

    Args:
        model: See `load`.
        folder: Where a registered model is put; an exported bundle stays where it is.
        root: The project's root.
        takes_exported: Whether an exported bundle will do.
        said_as: What the argument is called, for messages.

    Raises:
        RegistryError: There is no such model or registry; see `load`.
        TrackingError: The registry cannot be asked.
    """
    if model is not None and not model.startswith(_ADDRESS):
        return model, _exported(model, takes_exported=takes_exported, said_as=said_as)
    from ser.tracking import place

    uri = place.default_uri(root)
    database = place.database_path(uri)
    if database is not None and not database.is_file():
        raise RegistryError(
            f"{database}: there is no such registry; name the project's folder, set "
            f"MLFLOW_TRACKING_URI, or begin one with `ser register <model>-<loss>`"
        )
    wanted = None if model is not None else _AskedChampion.of(root)
    found = None if database is None else _without_mlflow(model, wanted, database, folder)
    return found or _from_store(model, wanted, uri, folder)


@dataclass(frozen=True, slots=True)
class _AskedChampion:
    """The champion that a project's params.yaml asks for.

    Args:
        project: Whose.
        line: The versions of its task.
        min_shared: Share of its recordings that the champion must know.
    """

    project: Project
    line: "ChampionLine"
    min_shared: float

    @classmethod
    def of(cls, root: Path) -> "_AskedChampion":
        from ser.params import read
        from ser.promotion.champion import ChampionLine
        from ser.workflow.preset import Preset

        project = Project(root)
        params = read(project.params, Preset)
        line = ChampionLine.of(params.corpus.model_dump(mode="json"), params.split.protocol)
        return cls(project, line, params.gates.min_shared)


def _without_mlflow(
    model: str | None, wanted: _AskedChampion | None, database: Path, folder: Path
) -> tuple[str, Path] | None:
    """Return what `_from_store` does, of an everyday registry; None where MLflow is to say more."""
    from ser.promotion import champion
    from ser.registry import local
    from ser.registry.version import CHAMPION

    if wanted is None:
        version = local.find(database, str(model))
    else:
        version = local.resolve(database, wanted.line.model, CHAMPION)
    if version is None or not (wanted is None or champion.is_of_manifest(version, wanted.project)):
        return None
    place = local.fetch_bundle(database, version, folder)
    if place is None:
        return None
    if wanted is None:
        return str(model), place
    _require_own(version, place, wanted)
    return version.uri, place


def _from_store(
    model: str | None, wanted: _AskedChampion | None, uri: str, folder: Path
) -> tuple[str, Path]:
    """Return address and bundle of a model from a tracking store, asked by MLflow."""
    from ser.promotion import champion
    from ser.registry import model_files, versions
    from ser.registry.version import CHAMPION
    from ser.tracking import store

    with store.left_alone():
        client = store.connect(uri)
        if wanted is None:
            return str(model), model_files.fetch_bundle(str(model), uri, folder)
        registry = versions.Registry(client, uri, wanted.project.root)
        version = champion.require(wanted.line, registry, CHAMPION)
        # By number: the alias may move meanwhile.
        place = model_files.fetch_bundle(version.uri, uri, folder)
        _require_own(version, place, wanted)
        champion.require_known_recordings(
            version, registry, wanted.project, min_shared=wanted.min_shared
        )
        return version.uri, place


def _require_own(version: "Version", place: Path, wanted: _AskedChampion) -> None:
    from ser.promotion import champion
    from ser.registry.bundle import FILE, Bundle

    champion.require_own(version, Bundle.read(place / FILE), wanted.line)


def _exported(model: str, *, takes_exported: bool, said_as: str) -> Path:
    """Return the folder of an exported bundle, or say what a model is."""
    from ser.registry.bundle import FILE

    if takes_exported and (Path(model) / FILE).is_file():
        return Path(model)
    other = ", nor a folder that `ser export --format bundle` wrote" if takes_exported else ""
    raise RegistryError(
        f"{said_as} {model}: no address of MLflow's registry, models:/<name>@champion or "
        f"models:/<name>/<version>{other}"
    )
