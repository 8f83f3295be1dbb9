"""The tracker that a trial trains under: reports dev UAR per epoch and ends hopeless trials."""

from collections.abc import Mapping
from pathlib import Path

from optuna import Trial, TrialPruned


class TrialTracker:
    """Stands for a run while a trial trains; see `ser.contracts.Tracker`.

    Args:
        trial: Gets the dev UAR of every epoch.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Report an epoch.

        Raises:
            TrialPruned: The study's pruner ends the trial.
        """
        if step is None or "dev/uar" not in metrics:
            return
        self._trial.report(metrics["dev/uar"], step)
        if self._trial.should_prune():
            raise TrialPruned

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Do nothing: a trial leaves no files."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Do nothing: a trial is described when it is recorded."""
