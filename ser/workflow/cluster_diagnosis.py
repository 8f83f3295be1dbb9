"""Whether the nodes of a cluster would train the same as this machine: code, versions, data."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ser import lineage
from ser.engine import node
from ser.errors import SerError
from ser.project import Project
from ser.wording import first_few
from ser.workflow.finding import Finding

_AUTH_MODE = "RAY_AUTH_MODE"
_ABSENT = "none"


def state(root: Path) -> dict[str, str]:
    """Return what decides results in a project, by name; features by their files' sizes.

    Args:
        root: The project's root.
    """
    project, said = Project(root), lineage.environment()
    files = (
        *(project.params, project.manifest, project.corpus_card),
        *(project.splits, project.split_report),
        *sorted(project.all_tuned.glob("*.json")),
        *sorted(project.all_features.glob("*/meta.json")),
    )
    return {
        "code": lineage.source_sha256(root, ["ser"]),
        "python": said["python"],
        **said["packages"],
        **{path.relative_to(root).as_posix(): _digest(path) for path in files},
        **{
            f"{folder.relative_to(root).as_posix()}/": _sizes(folder)
            for folder in sorted(project.all_features.glob("*"))
        },
    }


def answer() -> dict[str, str] | str:
    """Return the state of the node that is asked, and whom it lets in; or why it has none."""
    try:
        node.enter_project()
        return {**state(Path()), _AUTH_MODE: os.environ.get(_AUTH_MODE, _ABSENT)}
    except SerError as error:
        return str(error)


def examine(
    here: Mapping[str, str], answers: Mapping[str, Mapping[str, str] | str | SerError]
) -> Iterator[Finding]:
    """Compare nodes with this machine.

    Args:
        here: The state of this project.
        answers: Address of a node -> what it answered, see `answer`, or why it did not.
    """
    for address, said in answers.items():
        what = f"node {address}"
        if not isinstance(said, Mapping):
            cure = "start Ray there in the project's folder, by its .venv/bin/ray"
            yield Finding("fail", what, str(said), cure)
            continue
        other = sorted(name for name in here if said.get(name) != here[name])
        if other:
            cure = "bring code, packages and data to what they are here: git pull, dvc pull"
            yield Finding("fail", what, f"it has other {first_few(other)}", cure)
        else:
            yield Finding("ok", what, "it has the same code, versions and data")
        if said.get(_AUTH_MODE) != "token":
            cure = f"start Ray there with {_AUTH_MODE}=token"
            yield Finding("warn", what, "it lets in whoever has no token", cure)


def _digest(path: Path) -> str:
    return lineage.sha256_file(path) if path.is_file() else _ABSENT


def _sizes(folder: Path) -> str:
    """Return a digest of names and sizes: a store may be too large to be read for a question."""
    found = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }
    return lineage.sha256_text(lineage.canonical_json(found))
