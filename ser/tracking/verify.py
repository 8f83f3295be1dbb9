"""Does a recorded run still lead back to the data, code, lock and commit it names?"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlflow import MlflowClient
from mlflow.entities import Run

from ser import cross_folders, lineage, provenance
from ser.cell_folders import CellFolder
from ser.errors import FileError, LineageError, TrackingError
from ser.project import Project
from ser.tracking import cells, provenances, store
from ser.tracking.recording import RUN_KEY, check_run_key

_PREDICTIONS = CellFolder(Path()).predictions.name
_MISSING = "missing"
_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of what a run recorded with what is there now.

    Args:
        name: What is compared: a tag, or a file from lineage.json.
        ok: Whether they agree.
        recorded: As the run says; `missing` where it says nothing.
        found: As the workspace says; `missing` where there is nothing.
        where: The file or repository that was looked at.
    """

    name: str
    ok: bool
    recorded: str
    found: str
    where: str


def find_id(name: str, root: Path) -> str:
    """Return MLflow's id of the run of a trained cell.

    Args:
        name: The cell, e.g. `lstm-focal`. What has no hyphen is taken for an id and returned.
        root: The project's root.

    Raises:
        FileError: There is no such trained cell.
        TrackingError: The store has no run of it, or cannot be used.
    """
    if "-" not in name:
        return name
    record = cells.read(Project(root).run(name))
    uri = store.default_uri(root)
    client = store.connect(uri)
    key = check_run_key(record.cell.spec.run_key)
    with store.translated(uri):
        experiment = client.get_experiment_by_name(record.experiment)
        ids = [experiment.experiment_id] if experiment else []
        asked = f"tags.`{RUN_KEY}` = '{key}' and attributes.status = 'FINISHED'"
        runs = client.search_runs(ids, filter_string=asked) if ids else []
    if not runs:
        raise TrackingError(
            f"{name}: {record.experiment} has no finished run of it; `ser restore-runs` records it"
        )
    return str(runs[0].info.run_id)


def verify(run_id: str, root: Path) -> list[Check]:
    """Compare a run's lineage tags and file list with the workspace.

    Args:
        run_id: MLflow's id of a run of this project.
        root: The project's root.

    Returns:
        Every comparison made, in a fixed order.

    Raises:
        TrackingError: No such run, or the store cannot be used.
        LineageError: The run was not recorded by this project.
    """
    uri = store.default_uri(root)
    database = store.database_path(uri)
    if database is not None and not database.exists():
        raise TrackingError(f"{database}: no such file, so nothing was recorded; `dvc repro` does")
    client = store.connect(uri)
    run = store.find_run(client, run_id, uri)
    if RUN_KEY not in run.data.tags:
        raise LineageError(
            f"run {run_id} ({run.info.run_name}): it has no tag {RUN_KEY}, so this project did "
            "not record it; expected a run of `dvc repro`"
        )
    with store.translated(uri):
        return [
            *_check_tags(run.data.tags, root),
            *_check_files(client, run, root),
            *_check_predictions(client, run),
            *_check_local_predictions(run, root),
        ]


def _check_tags(tags: Mapping[str, str], root: Path) -> Iterator[Check]:
    project = cross_folders.of_run(tags)
    features = project.features(tags.get("ser.feature", _MISSING))
    yield _compare(tags, "ser.manifest_sha256", root, project.manifest)
    yield _compare(tags, "ser.split_sha256", root, project.splits)
    yield _compare(tags, "ser.features_sha256", root, features)
    stages = provenances.upstream_of(tags)
    now = lineage.upstream_lock_sha256(root, stages)
    where = f"dvc.lock ({', '.join(stages) or 'no stages named'})"
    yield _check(tags, "ser.dvc_lock_sha256", now, where)
    yield _check(tags, provenance.COMMIT, _commits_here(tags, root), "git")


def _commits_here(tags: Mapping[str, str], root: Path) -> str:
    """Return what the run says of its commits, or `missing` where one is not in the repository.

    A run that names none has nothing that could differ: it was recorded outside git, or what DVC
    restored is in no commit. Its sources are compared file by file.
    """
    is_here = all(provenance.has_commit(root, commit) for commit in provenance.commits_of(tags))
    return tags.get(provenance.COMMIT, _MISSING) if is_here else _MISSING


def _compare(tags: Mapping[str, str], tag: str, root: Path, path: Path) -> Check:
    """Compare a tag with the digest of a file or folder."""
    digest: Callable[[Path], str] = (
        lineage.digest_folder if (root / path).is_dir() else lineage.sha256_file
    )
    found = digest(root / path) if (root / path).exists() else _MISSING
    return _check(tags, tag, found, path.as_posix())


def _check(recorded: Mapping[str, str], name: str, found: str, where: str) -> Check:
    said = recorded.get(name, _MISSING)
    return Check(name, said == found and said != _MISSING, said, found, where)


def _check_files(client: MlflowClient, run: Run, root: Path) -> Iterator[Check]:
    """Compare every file of lineage.json; a nested run shares that of its parent."""
    record = _read_lineage(client, run)
    sources, data = (record.sources, record.data) if record else ({}, {})
    found = lineage.sha256_text(lineage.canonical_json(dict(sources))) if record else _MISSING
    yield _check(run.data.tags, "ser.source_sha256", found, f"artifact {lineage.RECORD}")
    for files in (data, sources):
        for path in sorted(files):
            now = lineage.sha256_file(root / path) if (root / path).is_file() else _MISSING
            yield _check(files, path, now, path)


def _read_lineage(client: MlflowClient, run: Run) -> lineage.Record | None:
    owners = [run.info.run_id, run.data.tags.get(_PARENT)]
    for owner in filter(None, owners):
        for path in _artifacts(client, owner, ""):
            if PurePosixPath(path).name == lineage.RECORD:
                with tempfile.TemporaryDirectory() as folder:
                    local = Path(client.download_artifacts(owner, path, folder))
                    try:
                        return lineage.Record.read(local)
                    except FileError as error:
                        raise TrackingError(f"run {owner}: {error}") from error
    return None


def _check_predictions(client: MlflowClient, run: Run) -> Iterator[Check]:
    """Compare the kept predictions with their tag, where a run has either."""
    tag = "ser.predictions_sha256"
    paths = [
        path
        for path in _artifacts(client, run.info.run_id, "")
        if PurePosixPath(path).name == _PREDICTIONS
    ]
    if not paths and tag not in run.data.tags:
        return
    found, where = _MISSING, f"artifact {_PREDICTIONS}"
    if paths:
        with tempfile.TemporaryDirectory() as folder:
            local = client.download_artifacts(run.info.run_id, paths[0], folder)
            found, where = lineage.sha256_file(Path(local)), f"artifact {paths[0]}"
    yield _check(run.data.tags, tag, found, where)


def _check_local_predictions(run: Run, root: Path) -> Iterator[Check]:
    """Compare the predictions in the cell's own folders, which scores and reports are made of."""
    tag = "ser.predictions_sha256"
    if tag not in run.data.tags:
        return
    project, names = Project(root), [run.data.tags.get(f"ser.{n}", "") for n in ("model", "loss")]
    for cell in (*project.scored_cells(), *project.trained_cells()):
        try:
            key = cells.read(cell).cell.spec.run_key
        except FileError as error:
            if all(names) and cell.folder.name != "-".join(names):
                continue  # a damaged record of another cell says nothing about this run
            raise LineageError(str(error)) from error
        if key == run.data.tags[RUN_KEY]:
            path = cell.predictions
            found = lineage.sha256_file(path) if path.is_file() else _MISSING
            yield _check(run.data.tags, tag, found, path.relative_to(root).as_posix())


def _artifacts(client: MlflowClient, run_id: str, folder: str) -> Iterator[str]:
    """Yield the paths of all files among a run's artifacts."""
    for item in client.list_artifacts(run_id, folder or None):
        if item.is_dir:
            yield from _artifacts(client, run_id, item.path)
        else:
            yield item.path
