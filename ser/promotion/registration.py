"""Register a trained cell: pack it, log it as a model, make it the challenger."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ser import markdown, provenance
from ser.data import task
from ser.errors import RegistryError
from ser.evaluation import slices, summary
from ser.evaluation.summary import CellSummary
from ser.files import remove_folder
from ser.project import Project
from ser.promotion import logging_model, model_card, pairing, records
from ser.promotion.logging_model import Packing
from ser.promotion.measuring import TRACKED
from ser.promotion.params import AnswerParams
from ser.registry import bundle as bundles
from ser.registry import identity, packing, versions
from ser.registry.bundle import Bundle, Source
from ser.registry.model_files import MODEL
from ser.registry.packing import TrainedCell
from ser.registry.version import CHALLENGER, CHAMPION, model_name
from ser.tracking import mlflow_tracker, provenances, store
from ser.tracking.mlflow_tracker import MlflowExperiment


@dataclass(frozen=True, slots=True)
class Registered:
    """A version in the registry.

    Args:
        name: Of the registered model.
        version: Its number.
        is_new: False where the same bundle had been registered before.
        weights: Which weights it serves, for people.
    """

    name: str
    version: int
    is_new: bool
    weights: str


@dataclass(frozen=True, slots=True)
class Packed:
    """What is registered.

    Args:
        source: Weights and their description.
        tracked: What the training pipeline predicts with them: `utterance_id` and
            `probability_<emotion>`, before the temperature.
        tested: What the cell was tested on, see `ser.promotion.pairing.recordings`.
    """

    source: Source
    tracked: pd.DataFrame
    tested: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """What is kept with the registration: name of the file -> its content."""
        return {TRACKED: self.tracked, pairing.FILE: self.tested}


def pack_fold(
    cell: TrainedCell, params: AnswerParams, *, fold: int | None, seed: int | None
) -> Packed:
    """Take the weights of one fold, that of the highest dev UAR unless it is named.

    Raises:
        BundleError: The cell has no classes or is transductive, or there is no such fold or seed.
        AudioError: A recording is missing.
    """
    packing.require_classes(cell)
    packing.require_inductive(cell)
    packing.require_recordings(cell)
    record = packing.choose(cell, fold=fold, seed=seed)
    source = packing.source_of_fold(
        cell, record, params=params.serving, limits=params.input_limits.model_dump(mode="json")
    )
    frame = cell.frame
    is_its_own = (frame["fold"] == record.fold) & (frame["seed"] == record.seed)
    tested = pairing.recordings(frame, cell.utterances)
    return Packed(source, frame[is_its_own & (frame["part"] == "test")], tested)


def register(
    cell: TrainedCell, packed: Packed, *, root: Path, embed_checkpoint: bool = True
) -> Registered:
    """Register a bundle of a cell as a new version and make it the challenger.

    Args:
        cell: The trained cell.
        packed: What is registered.
        root: The project's root.
        embed_checkpoint: See `ser.registry.bundle.ServingParams`.

    Returns:
        The version; the one of before if this very bundle is registered already.

    Raises:
        RegistryError: The cell's runs are not tracked.
        BundleError, WeightsError: It cannot be packed; see `ser.registry.bundle.write`.
        TrackingError: The store cannot be used.
    """
    record = cell.record
    folder = Project(root).work / "bundles" / cell.name
    bundle = bundles.write(packed.source, folder, embed_checkpoint=embed_checkpoint)
    trained = mlflow_tracker.open_experiment(
        record.experiment, note=record.note, tags=record.experiment_tags, root=root
    )
    cell_run = trained.run_id(record.cell.spec.run_key)
    trained_run = trained.run_id(bundle.training.run_key)
    if cell_run is None or trained_run is None:
        raise RegistryError(
            f"{cell.folder}: its runs are not in the tracking store; `ser restore-runs` brings "
            f"them back"
        )
    came_from = _came_from(bundle, trained, trained_run, root)
    description = model_card.render(_facts(cell, bundle, came_from))
    tags = {
        **came_from,
        **_tags(bundle),
        "ser.cell_run_id": cell_run,
        "ser.cell_run_key": record.cell.spec.run_key,
    }
    experiment = records.open_experiment(tags, root=root)
    logged = logging_model.log(
        Packing(folder, bundle, packed.tables, description, tags), experiment, root=root
    )
    name = model_name(identity.task_of(bundle), bundle.corpus.protocol)
    registry = versions.open_registry(root)
    registered = registry.register(
        name,
        source=logged.uri,
        run_id=logged.run_id,
        tags={**tags, MODEL: logged.sha256},
        description=f"{description.rstrip()}\n\n[Run of the cell]({_page(trained, cell_run)})\n",
        about=_about(bundle, experiment.experiment_id),
    )
    # From the cell's run to the version; the version leads to the run that registered it.
    with store.translated(registry.uri):
        registry.client.set_tag(cell_run, "ser.model_version", f"{name}/{registered.version}")
    remove_folder(folder)
    weights = bundle.training.described
    return Registered(name, registered.version, registered.is_new, weights)


def _page(experiment: MlflowExperiment, run_id: str) -> str:
    """Return the address of a run, for a link on one of MLflow's own pages."""
    return f"#/experiments/{experiment.experiment_id}/runs/{run_id}"


def _about(bundle: Bundle, experiment_id: str) -> str:
    """Return the description of the registered model, Markdown."""
    return (
        f"Recognises one of {', '.join(map(markdown.plain, bundle.emotions))} in a recording of "
        f"speech; task `{identity.task_of(bundle)}`, protocol `{bundle.corpus.protocol}`. "
        f"`ser register` adds versions, each with its model card; `{CHALLENGER}` is the "
        f"newest, `{CHAMPION}` the one that `ser promote` let through every gate and that "
        f"is served. Registrations, decisions and rollbacks are "
        f"[runs](#/experiments/{experiment_id}/runs)."
    )


def _tags(bundle: Bundle) -> dict[str, str]:
    training = bundle.training
    own = {
        "ser.bundle_sha256": bundle.sha256,
        "ser.cell": training.cell,
        task.TAG: identity.task_of(bundle),
        "ser.weights": training.described,
        "ser.fold": "refit" if training.fold is None else str(training.fold),
        "ser.seed": str(training.seed),
        "ser.trained_run_key": training.run_key,
    }
    return {**{k: v for k, v in bundle.tags.items() if k != "ser.run_key"}, **own}


def _came_from(
    bundle: Bundle, trained: MlflowExperiment, run_id: str, root: Path
) -> dict[str, str]:
    """Return the tags of where the weights were trained: here, or as their run says."""
    with store.translated(trained.uri):
        said = trained.client.get_run(run_id).data.tags
    names = (*provenance.UNKNOWN, provenance.COMMIT_OF, provenances.LOCK_ENTRIES)
    found = {**provenance.UNKNOWN, **{name: said[name] for name in names if name in said}}
    if bundle.training.fold is None:  # a refit, which this command has just trained
        found.pop(provenance.COMMIT_OF, None)
        found |= provenance.here(root).tags
    return found


def _facts(cell: TrainedCell, bundle: Bundle, came_from: Mapping[str, str]) -> model_card.Facts:
    sliced = slices.table(cell.frame, slices.values_of(cell.utterances))
    return model_card.Facts(bundle, scores(cell), sliced, cell.split, cell.card, came_from)


def scores(cell: TrainedCell) -> CellSummary:
    """Return a cell's cross-validated test scores."""
    speaker_of = {utterance.id: utterance.speaker for utterance in cell.utterances}
    origin = summary.read_origin(cell.files.metrics)
    return summary.summarise(cell.frame, speaker_of, origin=origin)
