"""One fold under one seed: normalise, train, choose, and only then open the test part.

Before the test part is opened, a refit may train anew on train and dev: `ser.training.refit`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file
from torch import Tensor

from ser import files, predictions
from ser.data.protocols import Part
from ser.data.splits import Fold
from ser.features.dataset import FeatureDataset, Normalisation, Recorded
from ser.features.store import CLEAN, FeatureStore
from ser.provenance import Provenance
from ser.training.fit import FitContext, FitResult
from ser.training.model_selection import DevelopmentData, Selected, select
from ser.training.plan import CellPlan
from ser.training.predict import Outputs, predict
from ser.training.refit import refit
from ser.training.saved_fold import FoldFacts, SavedFold


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fold under one seed ends with.

    Args:
        fit: Final weights, the epoch that was chosen, and history.
        statistics: What the inputs of those weights were normalised by.
        predictions: Of the dev part by the fit that chose, of the test part by the final
            weights; without a refit both are the same.
        embeddings: Of the test part, see `SavedFold.read_embeddings`.
        origin: Where the weights came from before training.
        layer_weights: What each frozen layer contributes, in sum 1, of a model that learns
            it; else None.
        copies: What the final weights say of the test part under every copy but `clean`, see
            `ser.predictions.of_copies`; None of a feature without further copies, or without
            classes.
    """

    fit: FitResult
    statistics: Recorded
    predictions: pd.DataFrame
    embeddings: dict[str, Tensor]
    origin: str
    layer_weights: list[float] | None = None
    copies: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class FoldData:
    """Where a fold's utterances come from.

    Args:
        fold: Ids of the parts.
        store: Features.
        label_of: Utterance id -> class index.
        rating_of: Utterance id -> ratings, see `FeatureDataset`; for losses that want them.
        group_of: Utterance id -> speaker, or session, for a recipe that normalises by it.
        share_of: Utterance id -> each class' share of the votes, see `DevelopmentData`; those
            of the test part are not read.
    """

    fold: Fold
    store: FeatureStore
    label_of: Mapping[str, int]
    rating_of: Mapping[str, Sequence[float]] | None = None
    group_of: Mapping[str, str] | None = None
    share_of: Mapping[str, Sequence[float]] | None = None

    def part(self, part: Part, normalisation: Normalisation) -> FeatureDataset:
        """Return the dataset of a part."""
        ids = self.fold.part(part)
        return FeatureDataset(self.store, ids, self.label_of, normalisation, self.rating_of)

    @property
    def development(self) -> DevelopmentData:
        """The parts that decide."""
        known = (self.store, self.label_of, self.rating_of, self.group_of, self.share_of)
        return DevelopmentData(self.fold.train, self.fold.dev, *known)


def train_fold(plan: CellPlan, data: FoldData, context: FitContext) -> FoldResult:
    """Train a cell on one fold.

    Args:
        plan: Model, loss and settings.
        data: The fold and its features.
        context: Device, seed, tracker, checkpoint.

    Returns:
        The final weights and the predictions of dev and test, of the test part under the
        copies of the feature too.

    Raises:
        TrainingError: An emotion is missing from the train part, or the loss diverges.
        ParamsError: The recipe normalises what the model wants as it is.
    """
    final = select(plan, data.development, context)
    # By the weights that chose: those of a refit have seen dev.
    dev_table, _ = _predict(plan, final, final.dev, "dev", data.fold.number, context)
    parts = {"train": final.train, "dev": final.dev}
    if plan.training.refit:
        final = refit(plan, data.development, final.fit, context)
        parts = {"train": final.train}
    # Everything is chosen: the test part is read here, once.
    parts["test"] = data.part("test", final.normalisation)
    test_table, outputs = _predict(plan, final, parts["test"], "test", data.fold.number, context)
    embeddings = {"embeddings": outputs.output.embedding, "labels": outputs.labels}
    prototypes = final.model.prototypes()
    if prototypes is not None:
        embeddings["prototypes"] = prototypes
    return FoldResult(
        final.fit,
        final.normalisation.record(parts),
        pd.concat([dev_table, test_table], ignore_index=True),
        {name: tensor.cpu().contiguous() for name, tensor in embeddings.items()},
        final.model.origin,
        final.model.layer_weights(),
        _predict_copies(plan, final, data, context),
    )


def _predict_copies(
    plan: CellPlan, chosen: Selected, data: FoldData, context: FitContext
) -> pd.DataFrame | None:
    """Return what a trained model says of the test part under each copy, without `clean`.

    It is scored by classes: where there are none, nothing is asked.
    """
    if not plan.emotions:
        return None
    found = {}
    for copy in data.store.copies:
        if copy != CLEAN:
            changed = replace(data, store=data.store.of_copy(copy))
            part = changed.part("test", chosen.normalisation)
            found[copy], _ = _predict(plan, chosen, part, "test", data.fold.number, context)
    return predictions.of_copies(found) if found else None


def _predict(
    plan: CellPlan,
    chosen: Selected,
    dataset: FeatureDataset,
    part: Part,
    number: int,
    context: FitContext,
) -> tuple[pd.DataFrame, Outputs]:
    """Return what a trained model says of a part, as a table and as it says it."""
    outputs = predict(
        chosen.model,
        dataset,
        batch_size=plan.recipe.batch_size,
        max_frames=plan.recipe.max_frames,
        device=context.accelerator.device,
    )
    table = predictions.table(
        ids=outputs.ids,
        truth=dataset.labels,
        probabilities=outputs.probabilities(chosen.loss.logit_scale),
        emotions=plan.emotions,
        ratings=dataset.ratings,
        predicted_ratings=outputs.predicted_ratings(),
        fold=number,
        seed=context.seed,
        part=part,
    )
    return table, outputs


def save(
    result: FoldResult, folder: Path, *, fold: int, seed: int, came_from: Provenance
) -> SavedFold:
    """Write a finished fold.

    Args:
        result: What `train_fold` returned.
        folder: Where; it is there complete or not at all.
        fold: Its number.
        seed: Its seed.
        came_from: Who trained it.

    Returns:
        The fold on disk.
    """
    weights = {name: tensor.contiguous() for name, tensor in result.fit.weights.items()}
    facts = FoldFacts(
        best_epoch=result.fit.best_epoch,
        dev_score=result.fit.dev_score,
        num_parameters=sum(tensor.numel() for tensor in weights.values()),
        origin=result.origin,
        layer_weights=result.layer_weights,
    )
    with files.replacing_folder(folder, durable=True) as part:
        saved = SavedFold(part)
        save_file(weights, saved.weights)
        result.statistics.save(saved.statistics)
        predictions.write(saved.predictions, result.predictions)
        if result.copies is not None:
            predictions.write(saved.copies, result.copies)
        save_file(result.embeddings, saved.embeddings)
        # JSON and not CSV: it gives every number back to the last bit.
        history = [
            {"fold": fold, "seed": seed, **{key: _or_null(row[key]) for key in row}}
            for row in result.fit.history
        ]
        files.write_json(saved.history, history, indent=1)
        files.write_json(saved.facts, asdict(facts))
        came_from.write(saved.provenance)
    return SavedFold(folder)


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
