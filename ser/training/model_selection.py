"""Training on a fold's train part and choosing on its dev part; the test part is not known.

Training a cell and tuning it share this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser import seeding
from ser.contracts import Loss, Model
from ser.errors import TrainingError
from ser.features.batching import LengthBucketedBatches
from ser.features.dataset import FeatureDataset, Normalisation, Statistics, fit_statistics
from ser.features.drawn_copies import DrawnCopies
from ser.features.normalisation import GroupNormalisation
from ser.features.store import FeatureStore
from ser.training.fit import FitContext, FitResult, fit
from ser.training.plan import CellPlan, build_loss, build_model, require_normalising
from ser.training.recipe import Balance


@dataclass(frozen=True, slots=True)
class DevelopmentData:
    """The parts of a fold that decide: what trains and what chooses, and nothing else.

    Args:
        train, dev: Utterance ids.
        store: Features.
        label_of: Utterance id -> class index.
        rating_of: Utterance id -> ratings, see `FeatureDataset`; for losses that want them.
        group_of: Utterance id -> speaker, or session, for a recipe that normalises by it.
        share_of: Utterance id -> each class' share of the votes, where these are learnt and
            not the labels.
    """

    train: tuple[str, ...]
    dev: tuple[str, ...]
    store: FeatureStore
    label_of: Mapping[str, int]
    rating_of: Mapping[str, Sequence[float]] | None = None
    group_of: Mapping[str, str] | None = None
    share_of: Mapping[str, Sequence[float]] | None = None

    def part(
        self, ids: tuple[str, ...], normalisation: Normalisation, copies: DrawnCopies | None = None
    ) -> FeatureDataset:
        """Return the dataset of `train` or `dev`; `copies` are what `train` draws from."""
        known = (self.label_of, normalisation, self.rating_of, copies, self.share_of)
        return FeatureDataset(self.store, ids, *known)

    def truth(self, num_classes: int) -> NDArray[np.float64]:
        """Return what is learnt of `train` `(num_utterances, num_classes)`, rows in sum 1."""
        if self.share_of is not None:
            return np.array([self.share_of[id_] for id_ in self.train], dtype=np.float64)
        if not num_classes:
            return np.empty((len(self.train), 0))
        return np.eye(num_classes)[[self.label_of[id_] for id_ in self.train]]


@dataclass(frozen=True, slots=True)
class Selected:
    """A trained model, before anything of the test part is read.

    Args:
        fit: Chosen weights and history.
        model: With those weights, on the context's device; in float32, whatever it trained in.
        loss: What it was trained with.
        normalisation: Of the inputs, of whichever part.
        train: The dataset that trained.
        dev: The dataset that chose; empty without a dev part.
    """

    fit: FitResult
    model: Model
    loss: Loss
    normalisation: Normalisation
    train: FeatureDataset
    dev: FeatureDataset


def select(plan: CellPlan, data: DevelopmentData, context: FitContext) -> Selected:
    """Train a cell on a fold's train part; choose the epoch on its dev part.

    Args:
        plan: Model, loss and settings.
        data: The two parts.
        context: Device, seed, tracker, checkpoint.

    Returns:
        The model with the chosen weights.

    Raises:
        TrainingError: An emotion is missing from the train part, or the loss diverges.
        ParamsError: The recipe normalises by speaker or session, and the model wants its
            inputs as they are.
        StaleFeaturesError: The features lack a copy that the recipe draws from.
    """
    truth = data.truth(len(plan.emotions))
    class_weights = _class_weights(truth)
    seeding.seed_everything(seeding.derive(context.seed, "weights"))
    loss = build_loss(plan, class_weights if plan.training.balance == "class_weights" else None)
    model = build_model(plan, feature=data.store.spec, head=loss.head, num_ratings=loss.num_ratings)
    shares = plan.recipe.copies
    copies = None if shares is None else DrawnCopies(data.store, shares, seed=context.seed)
    normalisation = _normalisation(plan, model, data, copies)
    train, dev = data.part(data.train, normalisation, copies), data.part(data.dev, normalisation)
    sampler = LengthBucketedBatches(
        train.lengths,
        batch_size=plan.recipe.batch_size,
        max_frames=plan.recipe.max_frames,
        seed=context.seed,
        weights=_row_weights(truth, class_weights, plan.training.balance),
        num_replicas=context.accelerator.num_processes,
        rank=context.accelerator.process_index,
    )
    result = fit(model, loss, train, dev, sampler, recipe=plan.recipe, context=context)
    model.load_state_dict(result.weights)
    if context.accelerator.mixed_precision != "no":
        # What is kept of dev and test is what a server will say: in float32.
        context.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    return Selected(result, model, loss, normalisation, train, dev)


def _normalisation(
    plan: CellPlan, model: Model, data: DevelopmentData, copies: DrawnCopies | None
) -> Normalisation:
    require_normalising(plan, model)
    if plan.recipe.normalisation == "fold":
        if model.normalises_inputs:
            return fit_statistics(data.store, data.train, copies)
        return Statistics.identity(data.store.num_bins)
    if data.group_of is None:
        raise ValueError(f"normalisation: {plan.recipe.normalisation} needs the data's group_of")
    return GroupNormalisation(data.group_of)


def _class_weights(truth: NDArray[np.float64]) -> Tensor | None:
    """Return N / (K n_c) per class `(num_classes,)`; n_c is the class' sum over a train part.

    Of labels that is the number of its utterances, of shares how many they come to. None where
    there are no classes.
    """
    counts, num_classes = truth.sum(axis=0), truth.shape[1]
    if not num_classes:
        return None
    if (counts == 0).any():
        raise TrainingError(
            f"class indices {np.flatnonzero(counts == 0).tolist()} are missing from the train part"
        )
    return torch.from_numpy((len(truth) / (num_classes * counts)).astype(np.float32))


def _row_weights(
    truth: NDArray[np.float64], class_weights: Tensor | None, balance: Balance
) -> NDArray[np.float64] | None:
    """Return what each utterance is drawn by `(num_utterances,)`: its classes' mean weight."""
    if balance != "weighted_sampler" or class_weights is None:
        return None
    return truth @ class_weights.numpy().astype(np.float64)
