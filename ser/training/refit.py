"""A fold's second training: once dev has chosen, dev is trained on too.

What is chosen stays as dev chose it, epoch and tuned values; only the weights are new, from
the same seed, on train and dev together. The learning rate follows the recipe's full schedule,
cut at the chosen epoch, as in the training that chose it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ser.contracts import Tracker
from ser.training.fit import FitContext, FitResult
from ser.training.model_selection import DevelopmentData, Selected, select
from ser.training.plan import CellPlan

#: Curve of a training -> curve of the refit, beside it in the same history.
_CURVES = {"train/loss": "refit/loss", "train/gradient_norm": "refit/gradient_norm"}


class _RefitTracker:
    """Records a refit's curves in the run of the fold, under keys of their own."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        self._tracker.log_metrics(_curves(metrics), step=step)

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        self._tracker.log_artifact(path, folder=folder)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._tracker.set_tags(tags)


def refit(
    plan: CellPlan, data: DevelopmentData, chosen: FitResult, context: FitContext
) -> Selected:
    """Train anew on train and dev together, for as many epochs as dev chose.

    Args:
        plan: Model, loss and settings, as they were when dev chose.
        data: The two parts. Normalisation and class weights are fitted on both.
        chosen: The fit that chose.
        context: Of that fit; the seed is the same, and `refit_checkpoint` is where this one
            goes on after an interruption.

    Returns:
        The model with the new weights. Its fit has the epoch and dev UAR of the fit that
        chose, and that one's history with `refit/loss` and `refit/gradient_norm` added.

    Raises:
        TrainingError: The loss diverges.
        CheckpointError: The checkpoint is damaged or of another run.
    """
    # Accelerate would keep the model of the fit that chose, on its device.
    context.accelerator.free_memory()
    together = replace(data, train=tuple(sorted((*data.train, *data.dev))), dev=())
    again = replace(
        context,
        tracker=_RefitTracker(context.tracker),
        checkpoint=context.refit_checkpoint,
        last_epoch=chosen.best_epoch,
    )
    refitted = select(plan, together, again)
    fit = replace(chosen, weights=refitted.fit.weights, history=_history(chosen, refitted.fit))
    return replace(refitted, fit=fit)


def _history(chosen: FitResult, refitted: FitResult) -> tuple[dict[str, float], ...]:
    """Return the rows of the fit that chose, with the refit's curves as far as they go."""
    num_further = len(chosen.history) - len(refitted.history)
    curves = [_curves(row) for row in refitted.history] + [{}] * num_further
    return tuple({**row, **added} for row, added in zip(chosen.history, curves, strict=True))


def _curves(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: metrics[key] for key, name in _CURVES.items() if key in metrics}
