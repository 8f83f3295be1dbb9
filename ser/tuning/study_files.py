"""A finished study as a file, on its way from the machine that ran it to the one that keeps it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from ser import sqlite
from ser.errors import TuningError, translating
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning.study import StudyPlan

#: Of the file, in a folder of its own.
_NAME = "study.db"

#: Whoever has such a trial keeps its own.
_KEEPS = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def write(plan: StudyPlan, url: str, folder: Path) -> None:
    """Write the finished trials of a study into a folder.

    Args:
        plan: The study.
        url: Of the storage that keeps it here.
        folder: Empty, not yet in its place.
    """
    study = studies.load(plan, storages.connect(url))
    with _opened(folder / _NAME) as storage:
        copy = studies.load(plan, storage)
        copy.add_trials(studies.finished(plan, study))


def take(plan: StudyPlan, folder: Path, url: str) -> int:
    """Take over the trials that another machine has finished.

    Args:
        plan: The study.
        folder: Written by `write` on that machine.
        url: Of the storage that keeps the study here.

    Returns:
        How many were new. A slot that is finished here, or that a process is at, stays as it is.

    Raises:
        TuningError: The file is damaged, or a storage cannot be used.
    """
    path = folder / _NAME
    if not path.is_file():
        raise TuningError(f"{path}: no such file; give the same command again")
    with storages.claiming(url), _opened(path) as source:
        storage = storages.connect(url)
        study = studies.load(plan, storage)
        own = study.get_trials(deepcopy=False)
        held = {studies.slot_of(trial) for trial in own if trial.state in _KEEPS}
        done = studies.finished(plan, studies.load(plan, source))
        new = [trial for trial in done if studies.slot_of(trial) not in held]
        filled = {studies.slot_of(trial) for trial in new}
        for trial in own:  # it would be run although its slot is filled
            if trial.state == TrialState.WAITING and studies.slot_of(trial) in filled:
                storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        study.add_trials(new)
    return len(new)


@contextmanager
def _opened(path: Path) -> Iterator[RDBStorage]:
    """Open a file that no other process knows; when the block ends it is whole and closed."""

    def say(error: Exception) -> TuningError:
        return TuningError(f"{path}: no file of a study ({error}); remove its folder")

    with warnings.catch_warnings(), translating(say):
        warnings.simplefilter("ignore", ExperimentalWarning)
        storage = RDBStorage(f"{sqlite.PREFIX}{path.resolve()}")
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
