"""One epoch of the project's trainer against a bare PyTorch loop that does the same."""

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader

from benchmarks import equality, recordings, timing, training_setup
from benchmarks.measurement import Measurement
from benchmarks.training_setup import RECIPE, SEED, TrainingSetup
from ser import metrics, seeding
from ser.batch import ModelOutput
from ser.features import batching
from ser.features.dataset import FeatureDataset, collate
from ser.training.checkpoint import Checkpoint
from ser.training.recipe import learning_rate_factor


def run(quick: bool) -> list[Measurement]:
    """Train one epoch and evaluate the dev part, on one CPU thread."""
    corpus = recordings.load(quick=quick)
    with tempfile.TemporaryDirectory() as folder, timing.torch_threads(1):
        setup = training_setup.prepare(corpus)
        store = training_setup.extract(corpus, Path(folder) / "mfcc")
        train, dev = setup.dataset(store, "train"), setup.dataset(store, "dev")
        require_same_weights(setup, train, dev)
        checkpoint = Path(folder) / "checkpoint.safetensors"
        ours, saving, bare = timing.alternate(
            lambda: setup.fit(train, dev),
            lambda: _fit_and_save(setup, train, dev, checkpoint),
            lambda: bare_epoch(setup, train, dev),
            repeats=2 if quick else 7,
        )
    alternative = "bare PyTorch loop with the same batches, optimiser, clipping and dev evaluation"
    rows = [
        ("one epoch of the trainer", ours, "seconds", bare),
        ("cost of the trainer", 100 * ours / bare, "% of the bare loop's time", 100.0),
        (
            "cost of the trainer with a checkpoint saved",
            100 * saving / bare,
            "% of the bare loop's time",
            100.0,
        ),
    ]
    return [
        Measurement(
            name=f"{name} ({corpus.name})",
            value=value,
            unit=unit,
            better="lower",
            alternative=alternative,
            alternative_value=alternative_value,
            threads=1,
        )
        for name, value, unit, alternative_value in rows
    ]


def require_same_weights(setup: TrainingSetup, train: FeatureDataset, dev: FeatureDataset) -> None:
    """Refuse to compare trainings that end differently; raise DifferentResultError."""
    fitted = setup.fit(train, dev)
    weights, dev_uar = bare_epoch(setup, train, dev)
    equality.require_same(sorted(fitted.weights), sorted(weights), what="names of weights")
    equality.require_close(
        ((fitted.weights[name].numpy(), weights[name].numpy()) for name in sorted(weights)),
        what="weights after an epoch",
        relative=1e-5,
    )
    equality.require_close([(fitted.dev_score, dev_uar)], what="dev UAR", absolute=1e-9)


def _fit_and_save(
    setup: TrainingSetup, train: FeatureDataset, dev: FeatureDataset, path: Path
) -> None:
    path.unlink(missing_ok=True)  # else the fit would find itself finished
    setup.fit(train, dev, Checkpoint(path, "benchmark"))


def bare_epoch(
    setup: TrainingSetup, train: FeatureDataset, dev: FeatureDataset
) -> tuple[dict[str, Tensor], float]:
    """Train one epoch the way a script would; return the weights and the dev UAR."""
    model = copy.deepcopy(setup.model)
    sampler = setup.sampler(train)
    sampler.set_epoch(1)
    seeding.seed_everything(seeding.derive(SEED, "epoch", 1))
    groups: list[dict[str, Any]] = [
        {"params": [p for p in model.parameters() if p.ndim >= 2]},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = AdamW(groups, lr=RECIPE.learning_rate, weight_decay=RECIPE.weight_decay)
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=collate)
    num_batches = len(loader)
    model.train()
    for index, batch in enumerate(loader):
        setup.loss(model(batch.inputs, batch.lengths), batch.labels).backward()
        factor = learning_rate_factor((index + 0.5) / num_batches, RECIPE.warmup)
        for group in optimiser.param_groups:
            group["lr"] = RECIPE.learning_rate * factor
        nn.utils.clip_grad_norm_(model.parameters(), RECIPE.gradient_clip)
        optimiser.step()
        optimiser.zero_grad()
    return model.state_dict(), _evaluate(setup, model, dev)


@torch.inference_mode()
def _evaluate(setup: TrainingSetup, model: nn.Module, dev: FeatureDataset) -> float:
    model.eval()
    order = batching.in_order(dev.lengths, batch_size=RECIPE.batch_size, max_frames=None)
    outputs = []
    for rows in order:
        batch = collate([dev[row] for row in rows])
        outputs.append(model(batch.inputs, batch.lengths))
    whole = ModelOutput(
        torch.cat([output.embedding for output in outputs]),
        torch.cat([output.logits for output in outputs]),
    )
    truth = dev.labels[np.concatenate(order)]
    float(setup.loss(whole, torch.from_numpy(truth)))
    prediction = whole.logits.argmax(dim=-1).numpy()
    return metrics.uar(truth=truth, prediction=prediction, num_classes=whole.logits.shape[1])
