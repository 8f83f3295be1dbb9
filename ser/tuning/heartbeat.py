"""A thread that tells the storage that a trial's worker lives."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages import RDBStorage

from ser.errors import TuningError
from ser.tuning.storage import HEARTBEAT_S

logger = logging.getLogger(__name__)


@contextmanager
def beating(storage: RDBStorage, trial_id: int) -> Iterator[None]:
    """Record a heartbeat of a trial now and every `HEARTBEAT_S` until the block ends."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_S):
            try:
                storage.record_heartbeat(trial_id)
            except TuningError as error:  # the next one may get through, before the grace ends
                logger.warning("%s", error)

    storage.record_heartbeat(trial_id)
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
