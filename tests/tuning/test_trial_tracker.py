from pathlib import Path

import pytest
from optuna import TrialPruned

from ser.tuning.trial_tracker import TrialTracker


class Reported:
    """Stands for a trial that is to be ended at an epoch."""

    def __init__(self, prune_at=None):
        self.reports, self.prune_at = [], prune_at

    def report(self, value, step):
        self.reports.append((step, value))

    def should_prune(self):
        return self.reports[-1][0] == self.prune_at


def test_the_dev_uar_of_every_epoch_is_reported():
    trial = Reported()
    tracker = TrialTracker(trial)
    for epoch, uar in ((1, 0.4), (2, 0.5)):
        tracker.log_metrics({"train/loss": 1.0, "dev/uar": uar}, step=epoch)
    assert trial.reports == [(1, 0.4), (2, 0.5)]


def test_a_trial_that_the_pruner_gives_up_ends_there():
    tracker = TrialTracker(Reported(prune_at=2))
    tracker.log_metrics({"dev/uar": 0.4}, step=1)
    with pytest.raises(TrialPruned):
        tracker.log_metrics({"dev/uar": 0.4}, step=2)


def test_what_is_no_epoch_is_not_reported():
    trial = Reported()
    tracker = TrialTracker(trial)
    tracker.log_metrics({"dev/uar": 0.4})
    tracker.log_metrics({"train/loss": 1.0}, step=1)
    tracker.log_artifact(Path("nowhere"))
    tracker.set_tags({"ser.model": "lstm"})
    assert trial.reports == []
