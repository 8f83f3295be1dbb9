"""Where a trial came from: its worker says it in the study, and the trial's run shows it.

A study goes on after a commit and on other machines, so its trials need not be of one commit.
"""

from optuna import Trial
from optuna.trial import FrozenTrial

from ser import provenance
from ser.provenance import Provenance

_ATTRIBUTE = "provenance"


def note(trial: Trial, worker: Provenance) -> None:
    """Write into the storage who trains a trial.

    Args:
        trial: The trial, running.
        worker: The process that trains it, from `ser.provenance.here`.
    """
    trial.set_user_attr(_ATTRIBUTE, worker.tags)


def tags_of(trial: FrozenTrial) -> dict[str, str]:
    """Return the tags of a trial's run that say who trained it; `none` of a trial of before."""
    return {**provenance.UNKNOWN, **trial.user_attrs.get(_ATTRIBUTE, {})}
