"""The files of a logged model: listed when it is logged, compared before any of them is used.

A model brings code, which runs as soon as it is loaded. The version's tag `ser.model_sha256`
stands for the list of all files, and the list is an artifact of the run that logged them, so
that a file that differs can be named. A reader fetches a model with `fetch`, or of a database of
this machine with `ser.registry.local`, and no other way.

MLflow is imported by the functions that ask it.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser import files, lineage
from ser.errors import FileError, RegistryError, translating
from ser.registry.bundle import FILE as BUNDLE_FILE
from ser.wording import without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "ser.model_sha256"
"""Tag of a version, and of the run that logged its files."""

LISTING = "model_files.json"
"""Artifact of that run: path of a file -> SHA-256."""

#: MLflow writes it beside what it has fetched: the name and version.
NOTE = "registered_model_meta"
ADDRESS = re.compile(
    r"models:/(?:(?P<id>m-[^/@]+)|(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+)))"
)
_REGISTER = (
    "`ser register <model>-<loss>` registers a trained cell, `ser promote` makes it champion"
)
_ASK_AGAIN = (
    "the store does not say that it has gone: see to the store, `ser doctor` says what is wrong "
    "with it, and give the same command again"
)
_NUM_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Pinned:
    """A model as it was logged.

    Args:
        uri: Its address, with the number of the version in place of an alias.
        run_id: MLflow's id of the run that logged it.
        sha256: Digest of the list of its files; None where none was noted.
    """

    uri: str
    run_id: str
    sha256: str | None


class UnansweredError(RegistryError):
    """A store did not give a model back; whether it still has it is not known."""


def listing(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a model, whatever its name.

    Args:
        folder: Of the model, as fetched; what MLflow notes beside a model is left out.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: lineage.sha256_file(path) for name, path in names.items() if name != NOTE}


def digest(listed: Mapping[str, str]) -> str:
    """Return the digest that stands for a list of files."""
    return lineage.sha256_text(lineage.canonical_json(dict(listed)))


def fetch(model_uri: str, tracking_uri: str, folder: Path) -> Path:
    """Fetch a logged or registered model; nothing of it is imported or loaded.

    Args:
        model_uri: `models:/<name>@<alias>`, `models:/<name>/<version>` or `models:/m-<id>`.
        tracking_uri: The store.
        folder: Where to put it.

    Returns:
        The folder of the model, with the files that were logged and no others.

    Raises:
        UnansweredError: The store does not give it back, and does not say that it has gone.
        RegistryError: There is no such model, no digest was noted for it, or its files are not
            those that were logged; names them where they are known.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    with _translated(model_uri, tracking_uri):
        pinned = _pinned(client, model_uri)
    if pinned.sha256 is None:
        raise RegistryError(
            f"{model_uri}: it has no tag {MODEL}, so nobody can tell whether its files are "
            f"those that were registered; `ser register <model>-<loss>` registers them anew"
        )
    place = download_unchecked(pinned.uri, tracking_uri, folder)
    found = listing(place)
    if digest(found) != pinned.sha256:
        raise RegistryError(
            f"{model_uri}: not what was registered: {_difference(client, pinned, found)}; nothing "
            f"of it was loaded. Register the cell anew (`ser register <model>-<loss>`), and find "
            f"out who can write to the artifacts of {without_password(tracking_uri)}"
        )
    return place


def fetch_bundle(model_uri: str, tracking_uri: str, folder: Path) -> Path:
    """Fetch a logged or registered model and compare its files with those that were logged.

    Args:
        model_uri: `models:/<name>@<alias>`, `models:/<name>/<version>` or `models:/m-<id>`.
        tracking_uri: The store.
        folder: Where to put it.

    Returns:
        The folder of its bundle.

    Raises:
        RegistryError: There is no such model, it is none of this project, or its files are not
            those that were logged; see `fetch`.
    """
    return bundle_of(fetch(model_uri, tracking_uri, folder))


def model_of(bundle: Path) -> Path:
    """Return the folder of a model from that of the bundle in it; see `bundle_of`."""
    return bundle.parents[1]


def bundle_of(model: Path) -> Path:
    """Return the folder of the bundle in the folder of a model.

    Raises:
        RegistryError: There is none.
    """
    found = sorted(model.glob(f"artifacts/*/{BUNDLE_FILE}"))
    if not found:
        raise RegistryError(f"{model}: holds no bundle; this project did not log this model")
    return found[0].parent


def download_unchecked(model_uri: str, tracking_uri: str, folder: Path) -> Path:
    """Fetch a model without a look at what it holds; `fetch` is for whoever uses it.

    What Python compiled beside the sources is left out: a store in a folder gets it from every
    program that loads a model in place, and nothing vouches for it.

    Raises:
        UnansweredError: The store does not give it back, and does not say that it has gone.
        RegistryError: There is no such model.
    """
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    with _translated(model_uri, tracking_uri):
        fetched = mlflow.artifacts.download_artifacts(artifact_uri=model_uri, dst_path=str(folder))
    place = Path(fetched)
    # The innermost first, should one lie in another.
    for compiled in sorted(place.rglob("__pycache__"), reverse=True):
        if compiled.is_dir():
            shutil.rmtree(compiled)
    return place


def require_unchanged(model_uri: str, tracking_uri: str) -> None:
    """Refuse a model whose files are not those that were logged; see `fetch`."""
    with tempfile.TemporaryDirectory() as scratch:
        fetch(model_uri, tracking_uri, Path(scratch))


def _pinned(client: "MlflowClient", model_uri: str) -> _Pinned:
    """Return what was noted of a model when it was logged."""
    parts = ADDRESS.fullmatch(model_uri)
    if parts is None:
        raise RegistryError(
            f"{model_uri}: no address of a registered model; expected models:/<name>@<alias>, "
            f"models:/<name>/<version> or models:/m-<id>"
        )
    if parts["id"]:
        run_id = str(client.get_logged_model(parts["id"]).source_run_id)
        return _Pinned(model_uri, run_id, client.get_run(run_id).data.tags.get(MODEL))
    if parts["alias"]:
        version = client.get_model_version_by_alias(parts["name"], parts["alias"])
    else:
        version = client.get_model_version(parts["name"], parts["number"])
    # By its number: an alias may move between two looks.
    uri = f"models:/{version.name}/{version.version}"
    return _Pinned(uri, str(version.run_id), version.tags.get(MODEL))


@contextmanager
def _translated(model_uri: str, tracking_uri: str) -> Iterator[None]:
    """Say errors of MLflow and of whatever keeps its artifacts as ours."""
    from ser.tracking.store import says_gone

    def say(error: Exception) -> RegistryError:
        kind, cure = (
            (RegistryError, _REGISTER) if says_gone(error) else (UnansweredError, _ASK_AGAIN)
        )
        first = str(error).partition("\n")[0] or type(error).__name__
        said = f"{model_uri}: cannot be fetched from {tracking_uri}: {first}; {cure}"
        return kind(without_password(said))

    with translating(say):
        yield


def _difference(client: "MlflowClient", pinned: _Pinned, found: Mapping[str, str]) -> str:
    """Say which files are not as they were logged, as far as that is known."""
    with tempfile.TemporaryDirectory() as scratch:
        unknown = f"which of its files differ is unknown, {LISTING} of its run cannot be read"
        try:
            with translating(lambda _: RegistryError(unknown)):
                place = client.download_artifacts(pinned.run_id, LISTING, scratch)
            listed = files.read_object(Path(place))
        except (RegistryError, FileError):
            return unknown
    if digest(listed) != pinned.sha256:
        return f"which of its files differ is unknown, {LISTING} of its run was changed too"
    names = sorted(n for n in {*found, *listed} if found.get(n) != listed.get(n))
    said = [f"{name} {_what(name, listed, found)}" for name in names[:_NUM_NAMED]]
    if len(names) > _NUM_NAMED:
        said.append(f"and {len(names) - _NUM_NAMED} more")
    return ", ".join(said)


def _what(name: str, listed: Mapping[str, str], found: Mapping[str, str]) -> str:
    if name not in listed:
        return "was added"
    return "differs" if name in found else "is missing"
