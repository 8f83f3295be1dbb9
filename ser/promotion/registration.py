"""Register a trained cell: pack it, log it as a model, make it the challenger."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ser.contracts import RunSpec
from ser.data import task
from ser.errors import RegistryError
from ser.evaluation import slices, summary
from ser.evaluation.summary import CellSummary
from ser.files import remove_folder
from ser.project import Project
from ser.promotion import model_card, pairing, records
from ser.promotion.measuring import TRACKED
from ser.promotion.params import AnswerParams
from ser.registry import bundle as bundles
from ser.registry import identity, packing, versions
from ser.registry.bundle import Bundle, Source
from ser.registry.packing import TrainedCell
from ser.serving import mlflow_model
from ser.tracking import mlflow_tracker
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
        BundleError: The cell is transductive, or there is no such fold or seed.
    """
    packing.require_inductive(cell)
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
    if cell_run is None:
        raise RegistryError(
            f"{cell.folder}: its runs are not in the tracking store; `ser restore-runs` brings "
            f"them back"
        )
    description = model_card.render(_facts(cell, bundle))
    tags = {
        **_tags(bundle),
        "ser.cell_run_id": cell_run,
        "ser.cell_run_key": record.cell.spec.run_key,
    }
    experiment = records.open_experiment(tags, root=root)
    uri = _log(
        experiment, folder, bundle, packed.tables, description=description, tags=tags, root=root
    )
    name = versions.model_name(identity.task_of(bundle), bundle.corpus.protocol)
    registry = versions.open_registry(root)
    registered = registry.register(
        name,
        source=uri,
        run_id=str(experiment.run_id(bundle.sha256[:32])),
        tags=tags,
        description=description,
    )
    remove_folder(folder)
    weights = bundle.training.described
    return Registered(name, registered.version, registered.is_new, weights)


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


def _log(
    experiment: MlflowExperiment,
    folder: Path,
    bundle: Bundle,
    tables: Mapping[str, pd.DataFrame],
    *,
    description: str,
    tags: Mapping[str, str],
    root: Path,
) -> str:
    """Log the bundle as a model, once; return MLflow's address of it."""
    key = bundle.sha256[:32]
    spec = RunSpec(
        name=f"register {bundle.training.cell}",
        run_key=key,
        tags=tags,
        params={
            "weights": bundle.training.described,
            "temperature": bundle.answering.temperature,
            "min_confidence": bundle.answering.min_confidence,
            "window_s": bundle.answering.window_s,
        },
        note=description,
    )
    with experiment.run(spec) as tracker:
        if not isinstance(tracker, mlflow_tracker.SilentTracker):
            with tempfile.TemporaryDirectory() as scratch:
                for file, table in tables.items():
                    table.to_parquet(Path(scratch) / file, index=False)
                    tracker.log_artifact(Path(scratch) / file)
            info = mlflow_model.log(
                folder,
                bundle,
                run_id=str(experiment.run_id(key)),
                tracking_uri=experiment.uri,
                model_card=description,
                root=root,
            )
            tracker.set_tags({"ser.model_uri": info.model_uri})
    run = experiment.client.get_run(str(experiment.run_id(key)))
    return str(run.data.tags["ser.model_uri"])


def _facts(cell: TrainedCell, bundle: Bundle) -> model_card.Facts:
    sliced = slices.table(cell.frame, slices.values_of(cell.utterances))
    return model_card.Facts(bundle, scores(cell), sliced, cell.split, cell.card)


def scores(cell: TrainedCell) -> CellSummary:
    """Return a cell's cross-validated test scores."""
    speaker_of = {utterance.id: utterance.speaker for utterance in cell.utterances}
    origin = summary.read_origin(cell.files.metrics)
    return summary.summarise(cell.frame, speaker_of, origin=origin)
