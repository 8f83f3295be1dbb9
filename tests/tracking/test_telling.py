"""What is said of a training while it goes on, and how often."""

import logging

from ser.tracking.memory_tracker import MemoryTracker
from ser.tracking.telling import TellingTracker


def test_fold_seed_and_epoch_are_said_every_few_seconds_and_all_is_recorded(caplog):
    times = iter([0.0, 1.0, 6.0, 7.0])
    kept = MemoryTracker(None)
    tracker = TellingTracker(kept, "lstm-focal/fold-2/seed-0", 40, clock=lambda: next(times))
    with caplog.at_level(logging.INFO):
        for epoch in (1, 2, 3):
            tracker.log_metrics({"train/loss": 1.0, "dev/uar": 0.5, "dev/wa": 0.6}, step=epoch)
        tracker.log_metrics({"best_epoch": 3.0})
    assert caplog.messages == [
        "lstm-focal/fold-2/seed-0: epoch 1 of at most 40: train/loss 1.000, dev/uar 0.500",
        "lstm-focal/fold-2/seed-0: epoch 3 of at most 40: train/loss 1.000, dev/uar 0.500",
    ]
