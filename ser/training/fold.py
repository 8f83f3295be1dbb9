"""One fold under one seed: normalise, train, choose, and only then open the test part."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import save_file
from torch import Tensor

from ser import predictions
from ser.data.splits import Fold, Part
from ser.features.dataset import FeatureDataset, Statistics
from ser.features.store import FeatureStore
from ser.training.fit import FitContext, FitResult
from ser.training.model_selection import DevelopmentData, select
from ser.training.plan import CellPlan
from ser.training.predict import predict


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fold under one seed ends with.

    Args:
        fit: Selected weights and history.
        statistics: The fold's normalisation.
        predictions: Of the dev and the test part.
        embeddings: Of the test part, see `SavedFold.embeddings`.
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


_WEIGHTS, _STATISTICS = "model.safetensors", "statistics.safetensors"
_PREDICTIONS, _HISTORY, _FACTS = "predictions.parquet", "history.json", "facts.json"
_EMBEDDINGS = "embeddings.safetensors"


@dataclass(frozen=True, slots=True)
class SavedFold:
    """A finished fold on disk; it exists as a whole or not at all.

    Args:
        folder: Holds weights, normalisation, predictions, embeddings, history and facts.
    """

    folder: Path

    @property
    def exists(self) -> bool:
        """Whether the fold is finished."""
        return self.folder.is_dir()

    @property
    def weights(self) -> Path:
        """The chosen weights, safetensors."""
        return self.folder / _WEIGHTS

    @property
    def statistics(self) -> Path:
        """The fold's normalisation, safetensors."""
        return self.folder / _STATISTICS

    @property
    def predictions_file(self) -> Path:
        """Predictions of dev and test, Parquet."""
        return self.folder / _PREDICTIONS

    def predictions(self) -> pd.DataFrame:
        """Return the predictions of dev and test."""
        return predictions.read(self.predictions_file)

    def history(self) -> pd.DataFrame:
        """Return one row per epoch, with `fold` and `seed`."""
        history = pd.DataFrame(json.loads((self.folder / _HISTORY).read_text(encoding="utf-8")))
        return history.astype({"fold": int, "seed": int, "epoch": int})

    def embeddings(self) -> dict[str, NDArray[Any]]:
        """Return `embeddings` and `labels` of the test part, and a cosine head's `prototypes`.

        Returns:
            `(num_utterances, embedding_dim)`, class indices `(num_utterances,)`, and
            `(num_classes, embedding_dim)`.
        """
        return dict(load_arrays(self.folder / _EMBEDDINGS))

    def facts(self) -> dict[str, Any]:
        """Return `best_epoch`, `dev_uar`, `num_parameters`, `origin` and `layer_weights`."""
        facts: dict[str, Any] = json.loads((self.folder / _FACTS).read_text(encoding="utf-8"))
        return facts


def save(result: FoldResult, folder: Path, *, fold: int, seed: int) -> SavedFold:
    """Write a finished fold.

    Args:
        result: What `train_fold` returned.
        folder: Where; made complete under another name first, then renamed.
        fold: Its number.
        seed: Its seed.

    Returns:
        The fold on disk.
    """
    temporary = folder.with_suffix(".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    weights = {name: tensor.contiguous() for name, tensor in result.fit.weights.items()}
    save_file(weights, temporary / _WEIGHTS)
    result.statistics.save(temporary / _STATISTICS)
    predictions.write(temporary / _PREDICTIONS, result.predictions)
    save_file(result.embeddings, temporary / _EMBEDDINGS)
    # JSON and not CSV: it gives every number back to the last bit.
    history = [{"fold": fold, "seed": seed, **row} for row in result.fit.history]
    (temporary / _HISTORY).write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    facts = {
        "best_epoch": result.fit.best_epoch,
        "dev_uar": result.fit.dev_uar,
        "num_parameters": sum(tensor.numel() for tensor in weights.values()),
        "origin": result.origin,
        "layer_weights": result.layer_weights,
    }
    (temporary / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder)
    return SavedFold(folder)
