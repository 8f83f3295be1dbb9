"""From a trained cell to the source of a bundle: which weights, how calibrated, what is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ser import predictions
from ser.cell_folders import CellFolder
from ser.data import manifest, recordings
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import BundleError
from ser.evaluation import calibration
from ser.evaluation.temperature import scale
from ser.features import store
from ser.grid.procedure import Procedure
from ser.monitoring.reference import DriftReference
from ser.project import Project
from ser.registry import bundle as bundles
from ser.registry import held_out
from ser.registry import reference as references
from ser.registry.bundle import Answering, Bundle, ServingParams, Source, TrainedOn, Training
from ser.registry.reference import Compared
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from ser.training.saved_fold import SavedFold
from ser.utterance import Utterance


@dataclass(frozen=True)
class TrainedCell:
    """A trained cell and the data that it was made from; each file is read once.

    A file that is missing or damaged raises FileError, one that breaks its own rules the
    error of its room, when it is first asked for.

    Args:
        project: Where they are.
        name: `<model>-<loss>`.
    """

    project: Project
    name: str

    @property
    def folder(self) -> Path:
        """The folder of its results."""
        return self.files.folder

    @property
    def files(self) -> CellFolder:
        """What is in that folder."""
        return self.project.run(self.name)

    @cached_property
    def record(self) -> CellRecord:
        """Its runs as recorded."""
        return cells.read(self.files)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Its predictions, all folds and seeds, dev and test."""
        return predictions.read(self.files.predictions)

    @cached_property
    def utterances(self) -> list[Utterance]:
        """The manifest."""
        return manifest.read(self.project.manifest)

    @cached_property
    def card(self) -> CorpusCard:
        """The corpus card."""
        return CorpusCard.read(self.project.corpus_card)

    @cached_property
    def split(self) -> SplitReport:
        """The split report."""
        return SplitReport.read(self.project.split_report)

    def saved(self, fold: int, seed: int) -> SavedFold:
        """Return one fold under one seed."""
        return SavedFold(self.files.fold(fold, seed).folder)


def choose(cell: TrainedCell, *, fold: int | None = None, seed: int | None = None) -> RunRecord:
    """Return the run whose weights are served: the highest dev UAR, ties to the first.

    Args:
        cell: A trained cell.
        fold: Keep to this fold.
        seed: Keep to this seed.

    Raises:
        BundleError: There is no such fold or seed.
        FileError: The cell has not been trained.
    """
    records = cell.record.folds
    chosen = [
        record
        for record in records
        if fold in (None, record.fold)
        and seed in (None, record.seed)
        and cell.saved(int(record.fold or 0), int(record.seed or 0)).weights.is_file()
    ]
    if not chosen:
        known = ", ".join(f"fold {record.fold} seed {record.seed}" for record in records)
        raise BundleError(
            f"{cell.folder}: no weights of fold {fold or 'any'} and seed "
            f"{'any' if seed is None else seed}; trained are: {known} (training.keep_weights: "
            f"best keeps the weights of one of them)"
        )
    return max(chosen, key=lambda record: record.metrics["dev/best_uar"])


def require_classes(cell: TrainedCell) -> None:
    """Refuse a cell that rates and tells no classes apart: requests are answered by classes.

    Raises:
        BundleError: It is of a corpus without classes.
    """
    if not cell.card.emotions:
        raise BundleError(
            f"{cell.folder}: it learnt ratings and no classes (corpus.emotions is empty), and "
            f"registering, promoting and serving such a model is not supported; its answers on "
            f"the test parts are in {cell.files.predictions}"
        )


def require_inductive(cell: TrainedCell) -> None:
    """Refuse a cell that needs several recordings to recognise one.

    Args:
        cell: A trained cell.

    Raises:
        BundleError: Its inputs are normalised per speaker or session.
    """
    params = cell.record.cell.spec.params
    procedure = Procedure.of_params(params)
    if procedure.is_transductive:
        group, model = procedure.normalisation, params["model"]["name"]
        raise BundleError(
            f"{cell.folder}: it is transductive (recipes.{model}.normalisation: {group}): it needs "
            f"many recordings of a {group} to recognise one, and a served model hears one at a "
            f"time; write `normalisation: fold` and run `dvc repro`"
        )


def require_recordings(cell: TrainedCell) -> None:
    """Refuse a cell whose recordings are not there, before anything is trained or packed.

    Raises:
        AudioError: Names one and the cure.
    """
    used = [utterance for utterance in cell.utterances if utterance.emotion is not None]
    why = "a bundle knows how speech sounds that is new to it, so registering listens to it"
    recordings.require(cell.project.raw(cell.card.name), used, why=why)


def source_of_fold(
    cell: TrainedCell,
    record: RunRecord,
    *,
    params: ServingParams,
    limits: Mapping[str, Any],
    is_monitored: bool = True,
) -> Source:
    """Return what a bundle of one fold's weights is packed from.

    Args:
        cell: The trained cell.
        record: One of its folds, see `choose`.
        params: How it shall answer.
        limits: What a request may hold.
        is_monitored: With what `ser monitor` compares with, for which all test recordings are
            heard; a model that is only asked needs none.
    """
    number, seed = int(record.fold or 0), int(record.seed or 0)
    saved = cell.saved(number, seed)
    bundles.require_trained(saved.weights, saved.statistics)
    frame = cell.frame
    is_its_own = (frame["fold"] == number) & (frame["seed"] == seed)
    facts = saved.read_facts()
    training = Training(
        cell=cell.name,
        fold=number,
        seed=seed,
        num_epochs=facts.best_epoch,
        run_key=record.spec.run_key,
        origin=facts.origin,
        refit=Procedure.of_params(record.spec.params).refit,
    )
    data = references.inputs_of(cell.project, record)
    fold = next(fold for fold in data.folds if fold.number == number)
    network = references.network_of(saved, record, data)
    compared = references.of_fold(
        network,
        fold,
        [item for item in cell.utterances if item.id in set(fold.dev)],
        params=params,
        has_seen_dev=training.has_seen_dev,
    )
    heard = None
    if is_monitored:
        new = fold.test if training.has_seen_dev else (*fold.dev, *fold.test)
        distances = compared.reference.gaussians.distances(network.embeddings(new))
        heard = drift_reference(cell, record, dict(zip(new, distances.tolist(), strict=True)))
    return source(
        cell,
        record,
        saved,
        training,
        answering(
            cell, [frame[is_its_own & (frame["part"] == "dev")]], params=params, limits=limits
        ),
        compared=compared,
        heard=heard,
    )


def answering(
    cell: TrainedCell,
    dev_parts: list[pd.DataFrame],
    *,
    params: ServingParams,
    limits: Mapping[str, Any],
) -> Answering:
    """Fit temperature and abstention on predictions of dev parts.

    Args:
        cell: The trained cell.
        dev_parts: Rows of the dev parts of one or more trained folds, as the fits that chose
            the epoch predicted them; a fold that was refitted has no other dev predictions.
        params: How much is to be answered, and in which windows.
        limits: What a request may hold.
    """
    dev = pd.concat(dev_parts, ignore_index=True)
    emotions = predictions.emotions_of(dev)
    probabilities = predictions.probabilities_of(dev)
    temperature = calibration.fit_temperature(
        truth=predictions.label_ids(dev["truth"], emotions), probabilities=probabilities
    )
    scaled = scale(probabilities, temperature)
    longest = max(item.duration_s for item in cell.utterances if item.emotion is not None)
    return Answering(
        temperature=temperature,
        min_confidence=calibration.threshold_for(scaled, coverage=params.coverage),
        window_s=longest if params.window_s is None else params.window_s,
        overlap=params.overlap,
        limits=limits,
    )


def source(
    cell: TrainedCell,
    record: RunRecord,
    saved: SavedFold,
    training: Training,
    answers: Answering,
    *,
    compared: Compared,
    heard: DriftReference | None,
) -> Source:
    """Return what a bundle is packed from.

    Args:
        cell: The trained cell.
        record: A run of it: params and digests.
        saved: Weights and normalisation.
        training: What the weights are.
        answers: How the bundle answers.
        compared: What it compares requests with.
        heard: What `ser monitor` compares with; None of a bundle that is not monitored.
    """
    card = cell.card
    feature = str(record.spec.params["feature"]["name"])
    sections = ("model", "loss", "recipe", "training", "feature")
    bundle = Bundle(
        emotions=card.emotions,
        params={name: record.spec.params[name] for name in sections},
        served={},
        answering=answers,
        training=training,
        corpus=TrainedOn(
            name=card.name,
            licence=card.licence,
            citation=card.citation,
            synthetic=card.synthetic,
            protocol=cell.split.protocol,
            speaker_independent=cell.split.speaker_independent,
        ),
        tags=dict(record.spec.tags),
        hearing=compared.hearing,
        files={},
    )
    meta = store.read_meta(cell.project.features(feature))
    return Source(saved.weights, saved.statistics, meta, bundle, compared.reference, heard)


def drift_reference(
    cell: TrainedCell, record: RunRecord, distance_of: Mapping[str, float]
) -> DriftReference:
    """Return what `ser monitor` compares with: the test parts of all folds, listened to.

    Args:
        cell: The trained cell.
        record: A run of it.
        distance_of: Utterance id -> distance of its embedding, where the weights have heard
            neither the utterance nor its speaker; empty: they have heard all.

    Raises:
        AudioError: A recording is missing or cannot be read.
    """
    frame = cell.frame
    return held_out.reference_of(
        frame[frame["seed"] == record.seed],
        cell.utterances,
        cell.split,
        root=cell.project.raw(record.spec.tags["ser.corpus"]),
        sampling_rate=int(record.spec.params["feature"]["sampling_rate"]),
        distance_of=distance_of,
    )
