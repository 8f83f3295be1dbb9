"""Which model answers: an address of MLflow's registry, the folder of a bundle, or the champion.

What is heavy is imported by the functions, after the environment is set.
"""

import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ser import runtime
from ser.errors import RegistryError
from ser.project import Project

if TYPE_CHECKING:
    from ser.api.recogniser import Recogniser

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
    from ser.registry import model_files
    from ser.tracking import store

    uri = store.default_uri(root)
    database = store.database_path(uri)
    if database is not None and not database.is_file():
        raise RegistryError(
            f"{database}: there is no such registry; name the project's folder, set "
            f"MLFLOW_TRACKING_URI, or begin one with `ser register <model>-<loss>`"
        )
    with store.left_alone():
        store.connect(uri)
        if model is None:
            return _champion(folder, root)
        return model, model_files.fetch_bundle(model, uri, folder)


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


def _champion(folder: Path, root: Path) -> tuple[str, Path]:
    """Return address and bundle of the champion of params.yaml; refuse another's."""
    from ser.params import read
    from ser.promotion import champion
    from ser.registry import model_files, versions
    from ser.registry.bundle import FILE, Bundle
    from ser.workflow.preset import Preset

    project = Project(root)
    params = read(project.params, Preset)
    corpus = params.corpus.model_dump(mode="json")
    line = champion.ChampionLine.of(corpus, params.split.protocol)
    found = versions.open_registry(root)
    version = champion.require(line, found, versions.CHAMPION)
    # By number: the alias may move meanwhile.
    uri = f"models:/{version.name}/{version.number}"
    place = model_files.fetch_bundle(uri, found.uri, folder)
    champion.require_own(version, Bundle.read(place / FILE), line)
    champion.require_known_recordings(version, found, project, min_shared=params.gates.min_shared)
    return uri, place
