"""One fold under one seed: normalise, train, choose, and only then open the test part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file
from torch import Tensor

from ser import files, predictions
from ser.data.protocols import Part
from ser.data.splits import Fold
from ser.features.dataset import FeatureDataset, Statistics
from ser.features.store import FeatureStore
from ser.training.fit import FitContext, FitResult
from ser.training.model_selection import DevelopmentData, select
from ser.training.plan import CellPlan
from ser.training.predict import predict
from ser.training.saved_fold import FoldFacts, SavedFold


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fold under one seed ends with.

    Args:
        fit: Selected weights and history.
        statistics: The fold's normalisation.
        predictions: Of the dev and the test part.
        embeddings: Of the test part, see `SavedFold.read_embeddings`.
        origin: Where the weights came from before training.
        layer_weights: What each frozen layer contributes, in sum 1, of a model that learns
            it; else None.
    """

    fit: FitResult
    statistics: Statistics
    predictions: pd.DataFrame
    embeddings: dict[str, Tensor]
    origin: str
    layer_weights: list[float] | None = None


@dataclass(frozen=True, slots=True)
class FoldData:
    """Where a fold's utterances come from.

    Args:
        fold: Ids of the parts.
        store: Features.
        label_of: Utterance id -> class index.
        rating_of: Utterance id -> ratings, see `FeatureDataset`; for losses that want them.
    """

    fold: Fold
    store: FeatureStore
    label_of: Mapping[str, int]
    rating_of: Mapping[str, Sequence[float]] | None = None

    def part(self, part: Part, statistics: Statistics) -> FeatureDataset:
        """Return the dataset of a part."""
        ids = self.fold.part(part)
        return FeatureDataset(self.store, ids, self.label_of, statistics, self.rating_of)

    @property
    def development(self) -> DevelopmentData:
        """The parts that decide."""
        train, dev = self.fold.train, self.fold.dev
        return DevelopmentData(train, dev, self.store, self.label_of, self.rating_of)


def train_fold(plan: CellPlan, data: FoldData, context: FitContext) -> FoldResult:
    """Train a cell on one fold.

    Args:
        plan: Model, loss and settings.
        data: The fold and its features.
        context: Device, seed, tracker, checkpoint.

    Returns:
        The chosen weights and the predictions of dev and test.

    Raises:
        TrainingError: An emotion is missing from the train part, or the loss diverges.
    """
    chosen = select(plan, data.development, context)
    model = chosen.model
    # Everything is chosen: the test part is read here, once.
    frames = []
    for part, dataset in (("dev", chosen.dev), ("test", data.part("test", chosen.statistics))):
        outputs = predict(
            model,
            dataset,
            batch_size=plan.recipe.batch_size,
            max_frames=plan.recipe.max_frames,
            device=context.accelerator.device,
        )
        frames.append(
            predictions.table(
                ids=outputs.ids,
                truth=dataset.labels,
                probabilities=outputs.probabilities(chosen.loss.logit_scale),
                emotions=plan.emotions,
                ratings=dataset.ratings,
                predicted_ratings=outputs.predicted_ratings(),
                fold=data.fold.number,
                seed=context.seed,
                part=part,
            )
        )
    # The test part comes last, so these are its outputs.
    embeddings = {"embeddings": outputs.output.embedding, "labels": outputs.labels}
    prototypes = model.prototypes()
    if prototypes is not None:
        embeddings["prototypes"] = prototypes
    return FoldResult(
        chosen.fit,
        chosen.statistics,
        pd.concat(frames, ignore_index=True),
        {name: tensor.cpu().contiguous() for name, tensor in embeddings.items()},
        model.origin,
        model.layer_weights(),
    )


def save(result: FoldResult, folder: Path, *, fold: int, seed: int) -> SavedFold:
    """Write a finished fold.

    Args:
        result: What `train_fold` returned.
        folder: Where; it is there complete or not at all.
        fold: Its number.
        seed: Its seed.

    Returns:
        The fold on disk.
    """
    weights = {name: tensor.contiguous() for name, tensor in result.fit.weights.items()}
    facts = FoldFacts(
        best_epoch=result.fit.best_epoch,
        dev_uar=result.fit.dev_uar,
        num_parameters=sum(tensor.numel() for tensor in weights.values()),
        origin=result.origin,
        layer_weights=result.layer_weights,
    )
    with files.replacing_folder(folder) as part:
        saved = SavedFold(part)
        save_file(weights, saved.weights)
        result.statistics.save(saved.statistics)
        predictions.write(saved.predictions, result.predictions)
        save_file(result.embeddings, saved.embeddings)
        # JSON and not CSV: it gives every number back to the last bit.
        history = [
            {"fold": fold, "seed": seed, **{key: _or_null(row[key]) for key in row}}
            for row in result.fit.history
        ]
        files.write_json(saved.history, history, indent=1)
        files.write_json(saved.facts, asdict(facts))
    return SavedFold(folder)


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
