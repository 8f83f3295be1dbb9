"""Whether nodes of a cluster would do the same as this machine: code, versions, data, stores."""

import os
import platform
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path

from ser import lineage, provenance
from ser.data import manifest
from ser.engine import node
from ser.errors import SerError
from ser.params import StageParams, read
from ser.project import Project
from ser.tuning.params import TuningParams
from ser.utterance import used_of
from ser.wording import cut, first_few, without_password
from ser.workflow.finding import Finding


class _Params(StageParams):
    """Section read: tuning."""

    tuning: TuningParams = TuningParams()


_AUTH_MODE = "RAY_AUTH_MODE"
_ABSENT = "absent"
_MAX_VALUE = 24

#: What is compared of a project, by topic: what is said where it is the same, what where it is
#: not, and the cure.
_TOPICS: Mapping[str, tuple[str, str, str]] = {
    "code": ("it has the same code", "other code", "git pull there"),
    "packages": (
        "it has the same versions of Python and packages",
        "other versions",
        "install there by the same constraints.txt: `make setup`",
    ),
    "data": (
        "it has the same params, manifest, folds and features",
        "other data",
        "`dvc pull` there, or copy data/ from here",
    ),
    "sources": (
        "it has the recordings and weights that features are made of",
        "not what features are made of, so it extracts none",
        "copy data/raw and data/weights there, where the licence lets them go",
    ),
}
#: A node without these trains all the same.
_DISPENSABLE = ("sources",)

#: Name of a file, package or the like -> its digest, version or the like.
State = Mapping[str, str]
#: Topic -> what a project has of it.
States = Mapping[str, State]

#: What a node says of itself beside the topics.
_ACCESS = "access"


def state(root: Path) -> dict[str, dict[str, str]]:
    """Return what decides results in a project; stores and checkpoints by their files' sizes.

    Args:
        root: The project's root.

    Returns:
        `code`, `packages`, `data` and `sources` -> see `State`.
    """
    project = Project(root)
    packages = lineage.package_versions(provenance.PACKAGES)
    files = (
        *(project.params, project.manifest, project.corpus_card),
        *(project.splits, project.split_report),
        *sorted(project.all_tuned.glob("*.json")),
        *sorted(project.all_features.glob("*/meta.json")),
    )
    return {
        "code": lineage.file_digests(root, ["ser"]),
        "packages": {"Python": platform.python_version(), **packages},
        "data": {
            **{path.relative_to(root).as_posix(): _digest(path) for path in files},
            **_folders(root, project.all_features),
        },
        "sources": {**_recordings(project), **_folders(root, project.checkpoint(""))},
    }


def answer(tracking: str | None) -> dict[str, dict[str, str]] | str:
    """Return the state of the node that is asked, and what it reaches; or why it has none.

    Args:
        tracking: Address of the tracking server of whoever asks, if it is a server.
    """
    try:
        root = node.enter_project()
        studies = studies_server(root)
        return {
            **state(Path()),
            _ACCESS: {
                _AUTH_MODE: os.environ.get(_AUTH_MODE, "none"),
                "tracking": "" if tracking is None else _fault_of_tracking(tracking),
                "studies": "" if studies is None else without_password(studies),
                "studies fault": "" if studies is None else _fault_of_studies(studies),
            },
        }
    except SerError as error:
        return str(error)


def studies_server(root: Path) -> str | None:
    """Return the address of the database server that keeps studies; None where a file does."""
    # Here, not at the top: Optuna is asked for by whoever tunes alone.
    from ser.tuning import storage

    url = storage.resolve(read(Project(root).params, _Params).tuning.storage, root)
    return None if storage.is_local(url) else url


def examine(
    here: States,
    answers: Mapping[str, States | str | SerError],
    *,
    tracking: str | None = None,
    studies: str | None = None,
) -> Iterator[Finding]:
    """Compare nodes with this machine.

    Args:
        here: The state of this project.
        answers: Address of a node -> what it answered, see `answer`, or why it did not.
        tracking: Address of the tracking server, if it is a server.
        studies: Address of the server that keeps studies, if it is one.

    Yields:
        A finding for each node and topic.
    """
    for address, said in answers.items():
        what = f"node {address}"
        if not isinstance(said, Mapping):
            cure = "start Ray there in the project's folder, by its .venv/bin/ray"
            yield Finding("fail", what, str(said), cure)
            continue
        for topic in _TOPICS:
            yield _compared(what, topic, here.get(topic, {}), said.get(topic, {}))
        access = said.get(_ACCESS, {})
        if tracking is not None:
            yield _of_tracking(what, without_password(tracking), access["tracking"])
        if studies is not None:
            yield _of_studies(what, without_password(studies), access)
        if access.get(_AUTH_MODE) != "token":
            cure = f"start Ray there with {_AUTH_MODE}=token"
            yield Finding("warn", what, "it lets in whoever has no token", cure)


def _compared(what: str, topic: str, here: State, there: State) -> Finding:
    same, other, cure = _TOPICS[topic]
    differing = sorted(name for name in here if there.get(name) != here[name])
    if not differing:
        return Finding("ok", what, same)
    first = differing[0]
    shown = (
        f"{first} is {_shown(there.get(first, _ABSENT))} there and {_shown(here[first])} here"
        if len(differing) == 1
        else first_few(differing)
    )
    return Finding(
        "warn" if topic in _DISPENSABLE else "fail", what, f"it has {other}: {shown}", cure
    )


def _of_tracking(what: str, server: str, fault: str) -> Finding:
    if not fault:
        return Finding("ok", what, f"it reaches the tracking server {server}")
    return Finding(
        "warn",
        what,
        f"it does not reach the tracking server {server} ({fault}): no curves while it trains",
        "MLFLOW_TRACKING_URI here must be an address that the node knows, too",
    )


def _of_studies(what: str, server: str, access: State) -> Finding:
    there, fault = access["studies"], access["studies fault"]
    if there == server and not fault:
        return Finding("ok", what, f"it reaches the studies in {server}")
    why = fault or f"its studies are in {there or 'a file of its own'}"
    return Finding(
        "fail",
        what,
        f"it does not reach the studies in {server}: {why}",
        "start Ray there with the same OPTUNA_STORAGE",
    )


def _fault_of_tracking(server: str) -> str:
    # Here, not at the top: it takes MLflow along.
    from ser.tracking import outage

    try:
        outage.ask(server)
    except (OSError, HTTPException) as error:
        return without_password(" ".join(str(error).split())) or type(error).__name__
    return ""


def _fault_of_studies(url: str) -> str:
    from ser.tuning import storage

    try:
        storage.connect(url).engine.dispose()
    except SerError as error:
        return str(error)
    return ""


def _recordings(project: Project) -> dict[str, str]:
    """Return how many recordings of the manifest are there, under the name of their folder."""
    if not project.manifest.is_file():
        return {}
    used = used_of(manifest.read(project.manifest))
    found: dict[str, list[bool]] = {}
    for utterance in used:
        folder = project.raw(utterance.corpus)
        is_there = (folder / utterance.audio).is_file()
        found.setdefault(folder.relative_to(project.root).as_posix(), []).append(is_there)
    return {f"{name}/": f"{sum(there)} recordings" for name, there in found.items()}


def _digest(path: Path) -> str:
    return lineage.sha256_file(path) if path.is_file() else _ABSENT


def _folders(root: Path, parent: Path) -> dict[str, str]:
    return {
        f"{folder.relative_to(root).as_posix()}/": _sizes(folder)
        for folder in sorted(parent.glob("*"))
    }


def _sizes(folder: Path) -> str:
    """Return a digest of names and sizes: a store may be too large to be read for a question."""
    found = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }
    return lineage.sha256_text(lineage.canonical_json(found))


def _shown(value: str) -> str:
    return cut(value, _MAX_VALUE)
