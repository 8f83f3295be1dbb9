"""A tracker that also says, for people, how far a training is: which fold, seed and epoch."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ser.contracts import Tracker

logger = logging.getLogger(__name__)

#: What is said of an epoch, where it is known.
_SHOWN = ("train/loss", "dev/uar", "dev/ccc")

#: Small cells have several epochs a second; nobody reads so many lines.
_SECONDS_BETWEEN = 5.0


class TellingTracker:
    """Hands everything on to another tracker; every few seconds it says the epoch in the log.

    Args:
        tracker: The open run.
        name: Of the run: `<model>-<loss>/fold-<k>/seed-<s>`.
        num_epochs: At most; training may stop earlier.
        clock: Seconds, from any start.
    """

    def __init__(
        self,
        tracker: Tracker,
        name: str,
        num_epochs: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tracker, self._name, self._num_epochs = tracker, name, num_epochs
        self._clock, self._said = clock, float("-inf")

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Record metrics; of an epoch, say so if nothing was said lately."""
        self._tracker.log_metrics(metrics, step=step)
        now = self._clock()
        if step is None or now - self._said < _SECONDS_BETWEEN:
            return
        self._said = now
        known = ", ".join(f"{key} {metrics[key]:.3f}" for key in _SHOWN if key in metrics)
        logger.info("%s: epoch %d of at most %d: %s", self._name, step, self._num_epochs, known)

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Copy a file or folder into the run's artifacts."""
        self._tracker.log_artifact(path, folder=folder)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""
        self._tracker.set_tags(tags)
