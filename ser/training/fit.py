"""The trainer: plain functions over Accelerate, the same for every model and loss.

An epoch depends on (seed, epoch) and the weights it starts from, on nothing else: random
generators are seeded anew at its start. So a fit that resumes after an interruption ends
with the same bytes as one that was never interrupted.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.data import DataLoader

from ser import concordance, metrics, seeding
from ser.batch import Batch
from ser.contracts import Loss, Model, Tracker
from ser.errors import TrainingError
from ser.features.batching import LengthBucketedBatches, padding_waste
from ser.features.dataset import FeatureDataset, collate
from ser.training import mixup, prototypes, ranks
from ser.training.augment import augment
from ser.training.checkpoint import (
    Checkpoint,
    Snapshot,
    optimiser_tensors,
    restore_optimiser,
)
from ser.training.mixup import Mixture
from ser.training.optimiser import AdamW
from ser.training.predict import Outputs, predict
from ser.training.recipe import Recipe, depth_factor, learning_rate_factor

logger = logging.getLogger(__name__)

_CLEARLY_BELOW = 0.999


@dataclass(frozen=True, slots=True)
class FitContext:
    """Where and under which seed a fit runs.

    Args:
        accelerator: Device, precision and processes.
        seed: Of dropout, of shuffling and of everything else that is random.
        tracker: Gets one record per epoch.
        emotions: The classes, in order, for messages.
        checkpoint: Where to go on after an interruption, or None to start over.
        refit_checkpoint: The same for the refit that may follow, see `ser.training.refit`.
        last_epoch: Train up to this epoch and keep its weights, since there is no dev part
            to choose by; None where there is one.
    """

    accelerator: Accelerator
    seed: int
    tracker: Tracker
    emotions: tuple[str, ...]
    checkpoint: Checkpoint | None = None
    refit_checkpoint: Checkpoint | None = None
    last_epoch: int | None = None


#: The scores that choose an epoch; a corpus has one of them, by whether it has classes.
CHOOSING = ("dev/uar", "dev/ccc")


def dev_score(row: Mapping[str, float]) -> float:
    """Return what an epoch is chosen by; NaN of an epoch without a dev part."""
    return next((row[name] for name in CHOOSING if name in row), math.nan)


@dataclass(slots=True)
class FitState:
    """What a fit has seen so far: the history and the best weights.

    Args:
        history: One row per epoch: `epoch` and the epoch's metrics.
        best_epoch: Highest dev score (see `CHOOSING`), ties to the earlier epoch; without a dev
            part the last epoch; 0 before the first.
        best: The weights of that epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_score(self) -> float:
        """Dev score of the best epoch, below all before the first, NaN without a dev part."""
        if not self.best_epoch:
            return -math.inf
        return dev_score(self.history[self.best_epoch - 1])

    def add(self, row: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        """Take an epoch's metrics and keep its weights if they are the best."""
        is_chosen = any(name in row for name in CHOOSING)
        is_better = not is_chosen or not self.best_epoch or dev_score(row) > self.best_score
        self.history.append(dict(row))
        if is_better:
            self.best_epoch = len(self.history)
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}

    def is_over(self, recipe: Recipe, last_epoch: int | None = None) -> bool:
        """Return whether no further epoch is due."""
        waited = len(self.history) - self.best_epoch
        num_epochs = recipe.num_epochs if last_epoch is None else last_epoch
        return len(self.history) >= num_epochs or waited >= recipe.patience


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit chose.

    Args:
        weights: The model's state at the best epoch, on the CPU.
        best_epoch: From 1.
        dev_score: Dev UAR of that epoch, in [0, 1], or without classes its mean CCC, in
            [-1, 1]; NaN without a dev part.
        history: One row per epoch.
    """

    weights: dict[str, Tensor]
    best_epoch: int
    dev_score: float
    history: tuple[dict[str, float], ...]


def fit(
    model: Model,
    loss: Loss,
    train: FeatureDataset,
    dev: FeatureDataset,
    sampler: LengthBucketedBatches,
    *,
    recipe: Recipe,
    context: FitContext,
) -> FitResult:
    """Train on one part, choose the epoch on another. The test part is not an argument.

    Args:
        model: With fresh weights.
        loss: What is lowered.
        train: Gradients come from here.
        dev: Decides the epoch and when to stop; empty where `context.last_epoch` does.
        sampler: The batches of `train`.
        recipe: Optimisation.
        context: Device, seed, tracker, checkpoint.

    Returns:
        The weights of the epoch with the highest dev UAR (mean CCC without classes), ties to
        the earlier one; without a dev part those of the last epoch.

    Raises:
        TrainingError: A loss or gradient is not finite; in float16, the gradients of no step of
            an epoch are.
        CheckpointError: The checkpoint is damaged or of another run.
    """
    accelerator = context.accelerator
    # One call for all parameters: else it takes as long as a small network itself.
    optimiser = AdamW(parameter_groups(model, recipe), lr=recipe.learning_rate, fused=True)
    # Accelerate would move it, too, and import what shards tensors to see that none is sharded.
    wrapped = accelerator.prepare(model.to(accelerator.device), device_placement=[False])
    # After that: the state of an optimiser goes to where its parameters are.
    progress = _resume(model, optimiser, accelerator.scaler, context.checkpoint)
    # Its wrapper scales gradients, and asks in every step which packages are installed.
    stepping = optimiser if accelerator.scaler is None else accelerator.prepare(optimiser)
    loss.to(accelerator.device)
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=collate)
    for row in progress.history:
        context.tracker.log_metrics(_without_epoch(row), step=int(row["epoch"]))
    while not progress.is_over(recipe, context.last_epoch):
        epoch = len(progress.history) + 1
        seeding.seed_everything(seeding.derive(context.seed, "epoch", epoch))
        train.set_epoch(epoch)
        sampler.set_epoch(epoch, train.lengths)
        loss.start_epoch(epoch)
        row = {
            "epoch": float(epoch),
            **_train_epoch(wrapped, loss, loader, stepping, accelerator, recipe, epoch),
            "train/padding_waste": padding_waste(sampler.batches(), train.lengths),
            **ranks.decided(
                lambda: {
                    **(_evaluate(model, loss, dev, recipe, accelerator) if len(dev) else {}),
                    **prototypes.watch(model, progress.history, context.emotions),
                }
            ),
        }
        progress.add(row, model.state_dict())
        context.tracker.log_metrics(_without_epoch(row), step=epoch)
        _save(context, model, optimiser, progress)
    return FitResult(
        progress.best, progress.best_epoch, progress.best_score, tuple(progress.history)
    )


def parameter_groups(model: Model, recipe: Recipe) -> list[dict[str, Any]]:
    """Return a model's trainable parameters in groups that are optimised alike.

    Args:
        model: Its parameters, how deep each lies, and which of them weigh frozen layers.
        recipe: `weight_decay`, which only matrices get, and the rates of pretrained layers
            and of the weights of frozen ones.

    Returns:
        Groups for an optimiser, the fresh weights first; `rate` is a group's share of the
        learning rate.
    """
    groups: dict[tuple[int, bool, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth, is_vector = model.parameter_depth(name), parameter.ndim < 2
            key = (depth, is_vector, model.weighs_layers(name))
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": members,
            "weight_decay": 0.0 if is_vector else recipe.weight_decay,
            "rate": recipe.layer_weights_rate if weighs_layers else depth_factor(depth, recipe),
        }
        for (depth, is_vector, weighs_layers), members in sorted(
            groups.items(), key=lambda item: item[0]
        )
    ]


def _resume(
    model: Model, optimiser: AdamW, scaler: GradScaler | None, checkpoint: Checkpoint | None
) -> FitState:
    snapshot = checkpoint.load() if checkpoint is not None else None
    if snapshot is None:
        return FitState()
    model.load_state_dict(dict(snapshot.model))
    restore_optimiser(optimiser, snapshot.optimiser)
    if scaler is not None:
        scaler.load_state_dict(snapshot.progress["scaler"])
    return FitState(
        history=list(snapshot.progress["history"]),
        best_epoch=int(snapshot.progress["best_epoch"]),
        best=dict(snapshot.best),
    )


def _save(context: FitContext, model: Model, optimiser: AdamW, progress: FitState) -> None:
    """Replace the checkpoint, if there is one and it is old enough."""
    checkpoint, accelerator = context.checkpoint, context.accelerator
    if checkpoint is not None and accelerator.is_main_process and checkpoint.is_due:
        checkpoint.save(_snapshot(model, optimiser, accelerator.scaler, progress))


def _snapshot(
    model: Model, optimiser: AdamW, scaler: GradScaler | None, progress: FitState
) -> Snapshot:
    return Snapshot(
        model=model.state_dict(),
        best=progress.best,
        optimiser=optimiser_tensors(optimiser),
        progress={
            "history": progress.history,
            "best_epoch": progress.best_epoch,
            # A few numbers: by what float16 multiplies the loss, and since when.
            "scaler": None if scaler is None else scaler.state_dict(),
        },
    )


def _train_epoch(
    model: Model,
    loss: Loss,
    loader: DataLoader[Any],
    optimiser: AdamW,
    accelerator: Accelerator,
    recipe: Recipe,
    epoch: int,
) -> dict[str, float]:
    """Take one pass over the train part; return its mean loss, gradient norm, last rate."""
    model.train()
    num_batches = len(loader)
    losses, num_utterances, norms = 0.0, 0, 0.0  # a tensor of them would cost a head a tenth
    num_steps = 0
    parameters = list(model.parameters())
    for index, batch in enumerate(loader):
        is_last = index + 1 == num_batches
        is_step = is_last or (index + 1) % recipe.accumulation == 0
        group = min(recipe.accumulation, num_batches - index + index % recipe.accumulation)
        done = (epoch - 1 + (index + 0.5) / num_batches) / recipe.num_epochs
        batch = batch.to(accelerator.device)
        mixture = mixup.draw(batch, recipe.mixup)
        # Mixed first: the masks then cover both utterances of a mixture, at its own mean.
        batch = augment(mixup.mix(batch, mixture), recipe)
        # Gradients are exchanged between processes once per optimiser step.
        with nullcontext() if is_step else accelerator.no_sync(model):
            value = _forward_backward(model, loss, batch, mixture, accelerator, scale=1 / group)
        _require_finite(value, f"loss {value}", epoch, batch)
        losses += value * len(batch.ids)
        num_utterances += len(batch.ids)
        if is_step:
            factor = learning_rate_factor(done, recipe.warmup)
            for settings in optimiser.param_groups:
                settings["lr"] = recipe.learning_rate * settings["rate"] * factor
            norm = _clip(parameters, accelerator, recipe.gradient_clip)
            if accelerator.scaler is None:
                _require_finite(norm, f"gradient norm {norm}", epoch, batch)
            optimiser.step()
            optimiser.zero_grad()
            # In float16 the scaler finds its scale by steps that overflow: it leaves them out.
            if math.isfinite(norm):
                norms += norm
                num_steps += 1
    if not num_steps:
        raise TrainingError(
            f"epoch {epoch}: the gradients of every step overflow in float16; set "
            f"training.precision: bfloat16 or float32"
        )
    totals = torch.tensor([losses, num_utterances, norms], dtype=torch.float64)
    summed = accelerator.reduce(totals.to(accelerator.device, torch.float32), "sum").tolist()
    return {
        "train/loss": summed[0] / summed[1],
        "train/gradient_norm": summed[2] / (num_steps * accelerator.num_processes),
        "train/learning_rate": float(optimiser.param_groups[0]["lr"]),
    }


def _clip(parameters: Sequence[Tensor], accelerator: Accelerator, largest: float) -> float:
    """Shorten the gradients to a largest norm; return the norm that they had."""
    # Accelerate's own scales float16's gradients back, and else looks around in every step.
    if accelerator.scaler is not None:
        return float(accelerator.clip_grad_norm_(parameters, largest))
    total = get_total_norm([p.grad for p in parameters if p.grad is not None])
    norm = float(total)
    # Torch's `clip_grad_norm_` would multiply them by 1 else. Near the bound it rounds.
    if not norm < _CLEARLY_BELOW * largest:
        clip_grads_with_norm_(parameters, largest, total)
    return norm


def _forward_backward(
    model: Model,
    loss: Loss,
    batch: Batch,
    mixture: Mixture | None,
    accelerator: Accelerator,
    *,
    scale: float,
) -> float:
    value = mixup.loss_of(loss, model(batch.inputs, batch.lengths), batch, mixture)
    accelerator.backward(value * scale)
    return float(value.detach())


def _require_finite(value: float, what: str, epoch: int, batch: Batch) -> None:
    if value != value or value in (float("inf"), float("-inf")):
        raise TrainingError(
            f"epoch {epoch}: {what} is not finite in the batch of {', '.join(batch.ids[:4])}, ...; "
            f"lower the model's learning_rate or set training.precision: float32"
        )


def _evaluate(
    model: Model, loss: Loss, dev: FeatureDataset, recipe: Recipe, accelerator: Accelerator
) -> dict[str, float]:
    outputs = predict(
        model,
        dev,
        batch_size=recipe.batch_size,
        max_frames=recipe.max_frames,
        device=accelerator.device,
    )
    # Over the whole part at once: some losses are statistics of their batch.
    whole = outputs.output.to(accelerator.device)
    labels = outputs.labels.to(accelerator.device)
    ratings = None if outputs.ratings is None else outputs.ratings.to(accelerator.device)
    return {
        "dev/loss": float(loss(whole, outputs.truth.to(accelerator.device), ratings)),
        **_choosing(outputs),
        **{f"dev/{name}": value for name, value in loss.diagnose(whole, labels).items()},
        **{f"dev/{name}": value for name, value in outputs.rating_scores().items()},
    }


def _choosing(outputs: Outputs) -> dict[str, float]:
    """Return what chooses the epoch, and the accuracy of classes."""
    num_classes = outputs.output.logits.shape[1]
    if not num_classes:
        return {"dev/ccc": concordance.mean_ccc(outputs.rating_scores())}
    truth, prediction = outputs.labels.numpy(), outputs.predictions()
    return {
        "dev/uar": metrics.uar(truth=truth, prediction=prediction, num_classes=num_classes),
        "dev/wa": metrics.wa(truth=truth, prediction=prediction),
    }


def _without_epoch(row: Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in row.items() if key != "epoch"}
