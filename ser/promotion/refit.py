"""Train a cell once more, on all parts: what is served when no fold's weights shall be.

There is no dev part left to choose an epoch by, so their number is fixed beforehand: the
median of what the folds chose. Nor is there a test part: the cell's cross-validated scores
describe the procedure, not these weights.
"""

from pathlib import Path
from statistics import median_low
from typing import Any

import pandas as pd
from safetensors.torch import save_file

from ser import predictions
from ser.errors import BundleError
from ser.features.dataset import FeatureDataset
from ser.grid.inputs import Inputs
from ser.promotion import pairing
from ser.promotion.params import AnswerParams
from ser.promotion.registration import Packed
from ser.registry import bundle as bundles
from ser.registry import packing
from ser.registry import reference as references
from ser.registry.bundle import Training
from ser.registry.packing import TrainedCell
from ser.registry.reference import TrainedNetwork
from ser.tracking.cells import RunRecord
from ser.tracking.memory_tracker import MemoryTracker
from ser.training import device
from ser.training.fit import FitContext
from ser.training.model_selection import DevelopmentData, Selected, select
from ser.training.plan import CellPlan
from ser.training.predict import predict
from ser.training.saved_fold import SavedFold


def pack(
    cell: TrainedCell, params: AnswerParams, *, scratch: Path, seed: int | None = None
) -> Packed:
    """Train on all parts and return what is registered.

    Args:
        cell: A trained cell; its folds say for how many epochs.
        params: How it shall answer.
        scratch: Where weights are kept until they are registered.
        seed: Of the training; None takes the cell's first.

    Returns:
        Its weights, and what the training pipeline predicts with them for utterances that
        it was trained on: proof that the served model is this one, no score.

    Raises:
        BundleError: The folds were tuned apart, so their params differ, or the cell is
            transductive.
        AudioError: A recording is missing.
        TrainingError: It diverges.
    """
    packing.require_classes(cell)
    packing.require_inductive(cell)
    packing.require_recordings(cell)
    records = cell.record.folds
    if any(_sections(record) != _sections(records[0]) for record in records):
        raise BundleError(
            f"{cell.folder}: each fold was tuned by itself, so every fold has other params to "
            f"refit with; register one of its folds, or write the params into params.yaml, take "
            f"the cell out of tuning.cells and run `dvc repro`"
        )
    first = records[0]
    chosen_seed = int(first.seed or 0) if seed is None else seed
    num_epochs = median_low(int(record.metrics["best_epoch"]) for record in records)
    data = references.inputs_of(cell.project, first)
    plan = bundles.plan_of(first.spec.params, data.emotions)
    chosen = _train(plan, data, seed=chosen_seed, num_epochs=num_epochs)
    saved = SavedFold(scratch / cell.name)
    saved.folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in chosen.fit.weights.items()}
    save_file(weights, saved.weights)
    chosen.normalisation.record({"train": chosen.train}).save(saved.statistics)
    answers = packing.answering(
        cell,
        [cell.frame[cell.frame["part"] == "dev"]],
        params=params.serving,
        limits=params.input_limits.model_dump(mode="json"),
    )
    training = Training(
        cell=cell.name,
        fold=None,
        seed=chosen_seed,
        num_epochs=num_epochs,
        run_key=cell.record.cell.spec.run_key,
        origin=str(chosen.model.origin),
    )
    compared = references.left_out(
        TrainedNetwork(plan, chosen.model, chosen.normalisation, data),
        sorted(data.label_of),
        [item for item in cell.utterances if item.emotion is not None],
        params=params.serving,
    )
    heard = packing.drift_reference(cell, first, {})
    packed = packing.source(cell, first, saved, training, answers, compared=compared, heard=heard)
    tested = pairing.recordings(cell.frame, cell.utterances)
    return Packed(packed, _tracked(chosen, plan, data), tested)


def _sections(record: RunRecord) -> tuple[Any, ...]:
    return tuple(record.spec.params[name] for name in ("model", "loss", "recipe"))


def _train(plan: CellPlan, data: Inputs, *, seed: int, num_epochs: int) -> Selected:
    """Train on every utterance of the corpus, up to an epoch."""
    everything = DevelopmentData(
        tuple(sorted(data.label_of)),
        (),
        data.store,
        data.label_of,
        data.rating_of,
        share_of=data.share_of(plan),
    )
    context = FitContext(
        device.accelerator(plan.training),
        seed,
        MemoryTracker(None),
        plan.emotions,
        last_epoch=num_epochs,
    )
    return select(plan, everything, context)


def _tracked(chosen: Selected, plan: CellPlan, data: Inputs) -> pd.DataFrame:
    """Return what the training pipeline predicts with the new weights, all utterances."""
    # Not the dataset that trained: it may have drawn copies, and what is served hears none.
    dataset = FeatureDataset(data.store, sorted(data.label_of), data.label_of, chosen.normalisation)
    outputs = predict(
        chosen.model,
        dataset,
        batch_size=plan.recipe.batch_size,
        max_frames=plan.recipe.max_frames,
        device=next(chosen.model.parameters()).device,
    )
    return predictions.table(
        ids=outputs.ids,
        truth=dataset.labels,
        probabilities=outputs.probabilities(chosen.loss.logit_scale),
        emotions=plan.emotions,
        fold=0,
        seed=0,
        part="train",
    )
