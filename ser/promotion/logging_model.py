"""Log a bundle as a model, once, and pin its files: what the registry leads to."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow.entities import LoggedModelStatus

from ser import files
from ser.contracts import RunSpec, Tracker
from ser.errors import RegistryError, SerError
from ser.lineage import sha256_file, sha256_text
from ser.promotion.measuring import digest_tag
from ser.registry import bundle as bundles
from ser.registry import model_files
from ser.registry.bundle import Bundle
from ser.registry.model_files import UnansweredError
from ser.serving import mlflow_model
from ser.tracking import store
from ser.tracking.mlflow_tracker import MlflowExperiment
from ser.tracking.recording import SilentTracker
from ser.wording import without_password

_URI = "ser.model_uri"
#: Where MLflow puts the package in a model.
_CODE = "code/"


@dataclass(frozen=True, slots=True)
class Packing:
    """What is logged.

    Args:
        folder: The bundle.
        bundle: Its description.
        tables: What is kept with it: name of a file -> its content.
        description: The model card, Markdown.
        tags: Of the run.
    """

    folder: Path
    bundle: Bundle
    tables: Mapping[str, pd.DataFrame]
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Logged:
    """A model in the store.

    Args:
        uri: MLflow's address of it, `models:/m-<id>`.
        run_id: MLflow's id of the run that logged it.
        sha256: Digest of the list of its files.
    """

    uri: str
    run_id: str
    sha256: str


class OtherFilesError(RegistryError):
    """A store gives back other files than were sent."""


def log(packing: Packing, experiment: MlflowExperiment, *, root: Path) -> Logged:
    """Log a bundle as a model, or return the one that was logged of this very bundle.

    One that a call before this one has sent, and did not come to note, is taken over. One whose
    files were changed since, or have gone, is left as it is, and the bundle is logged anew.

    Args:
        packing: What is logged.
        experiment: Where registrations are tracked.
        root: The project's root.

    Raises:
        RegistryError: What the store gives back is not what was logged, or it gives nothing back.
        TrackingError: The store cannot be used.
    """
    attempt = 0
    while True:
        key = _key(packing.bundle, attempt)
        is_new = _log(packing, experiment, key, root=root)
        run_id = str(experiment.run_id(key))
        with store.translated(experiment.uri):
            tags = experiment.client.get_run(run_id).data.tags
        # A run without these tags was closed by another hand than ours.
        if {_URI, model_files.MODEL} <= tags.keys() and (
            is_new or _is_unchanged(tags[_URI], experiment.uri)
        ):
            return Logged(tags[_URI], run_id, tags[model_files.MODEL])
        attempt += 1


def _is_unchanged(model_uri: str, tracking_uri: str) -> bool:
    """Return whether a model is still there with the files that were logged.

    Raises:
        UnansweredError: The store does not say; a second model of the bundle would be wrong.
    """
    try:
        model_files.require_unchanged(model_uri, tracking_uri)
    except UnansweredError:
        raise
    except RegistryError:
        return False
    return True


def _key(bundle: Bundle, attempt: int) -> str:
    """Return the key of the run of a registration; later attempts have keys of their own."""
    text = bundle.sha256 if attempt == 0 else sha256_text(f"{bundle.sha256} {attempt}")
    return text[:32]


def _log(packing: Packing, experiment: MlflowExperiment, key: str, *, root: Path) -> bool:
    """Log a model under a run key; return False where the run of the key is finished already."""
    bundle = packing.bundle
    spec = RunSpec(
        name=f"register {bundle.training.cell}",
        run_key=key,
        tags=packing.tags,
        params={
            "weights": bundle.training.described,
            "temperature": bundle.answering.temperature,
            "min_confidence": bundle.answering.min_confidence,
            "window_s": bundle.answering.window_s,
        },
        note=packing.description,
    )
    with experiment.run(spec) as tracker:
        if isinstance(tracker, SilentTracker):
            return False
        with tempfile.TemporaryDirectory() as scratch:
            for name, table in packing.tables.items():
                path = Path(scratch) / name
                table.to_parquet(path, index=False)
                tracker.log_artifact(path)
                tracker.set_tags({digest_tag(name): sha256_file(path)})
        run_id = str(experiment.run_id(key))
        if not _take_over(tracker, run_id, packing, experiment, root=root):
            info = mlflow_model.log(
                packing.folder,
                bundle,
                run_id=run_id,
                tracking_uri=experiment.uri,
                model_card=packing.description,
                root=root,
            )
            _pin(tracker, info.model_uri, packing, experiment.uri, root=root)
    return True


def _take_over(
    tracker: Tracker, run_id: str, packing: Packing, experiment: MlflowExperiment, *, root: Path
) -> bool:
    """Pin what an earlier call has sent to the end, before its store or its process failed."""
    with store.translated(experiment.uri):
        found = experiment.client.search_logged_models(
            [experiment.experiment_id], f"source_run_id = '{run_id}'"
        )
    for model in found:
        if model.status is LoggedModelStatus.READY:
            try:
                _pin(tracker, model.model_uri, packing, experiment.uri, root=root)
            except UnansweredError:
                raise
            except RegistryError:
                continue  # other files than were sent, or none any more
            return True
    return False


def _pin(
    tracker: Tracker, model_uri: str, packing: Packing, tracking_uri: str, *, root: Path
) -> None:
    """List a model's files as the store gives them back, and tag the run with their digest.

    MLflow adds files of its own on the way, so they cannot be listed before. The bundle and the
    code must be what was sent.

    Raises:
        OtherFilesError: They are not.
        UnansweredError: The store does not give the model back.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = model_files.download_unchecked(model_uri, tracking_uri, Path(scratch))
        listed = model_files.listing(place)
        if not _is_what_was_sent(place, listed, packing, root):
            raise OtherFilesError(
                f"{model_uri}: {without_password(tracking_uri)} gives back another bundle or other "
                f"code than was logged; register the cell again"
            )
        path = Path(scratch) / model_files.LISTING
        files.write_json(path, listed)
        tracker.log_artifact(path)
    tracker.set_tags({_URI: model_uri, model_files.MODEL: model_files.digest(listed)})


def _is_what_was_sent(place: Path, listed: Mapping[str, str], packing: Packing, root: Path) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / mlflow_model.PACKAGE
        mlflow_model.write_package(root, package)
        sent = {f"{_CODE}{package.name}": sha256_file(package)}
    if {name: digest for name, digest in listed.items() if name.startswith(_CODE)} != sent:
        return False
    try:
        return bundles.read(model_files.bundle_of(place)).sha256 == packing.bundle.sha256
    except SerError:
        return False  # half of it, or another program's
