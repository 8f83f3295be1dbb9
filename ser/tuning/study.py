"""One study: a cell on one fold, as a fixed number of slots that workers fill one by one.

A slot is one trial that shall be finished. All slots are put into the storage when the study
is prepared, and a worker takes the lowest that waits, so that no trial is run twice and none
too many, however many workers there are. The trial of a worker that died is marked failed,
and its slot waits again with the same values.

The sampler is seeded anew for every slot: an interrupted study goes on as it would have.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna import Trial, TrialPruned
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.pruners import BasePruner, MedianPruner, NopPruner, PercentilePruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from ser import seeding
from ser.contracts import Tracker
from ser.errors import TrainingError, TuningError
from ser.grid.tuned import TunedFold
from ser.processes import Process, this_process
from ser.training.plan import CellPlan
from ser.tuning import storage as storages
from ser.tuning.heartbeat import beating
from ser.tuning.params import TuningParams
from ser.tuning.space import Dimension, Space, starts
from ser.tuning.trial_tracker import TrialTracker

logger = logging.getLogger(__name__)

SLOT = "slot"
#: What a study maximises, by its name in the tracker.
METRIC = "dev/best_uar"
_WORKER = ("host", "pid", "pid_started")
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

#: Values and tracker of a trial -> its dev UAR.
Objective = Callable[[Mapping[str, float], Tracker], float]


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study searches; it holds no data.

    Args:
        cell: The cell with the values of params.yaml.
        fold: Number of the fold.
        space: What is searched.
        params: How.
        num_trials: Slots that count.
        key: Hash of everything that decides the outcome but the number of trials.
        experiment: `ser/<task>/<protocol>` of the cell, the first part of the study's name.
    """

    cell: CellPlan
    fold: int
    space: Space
    params: TuningParams
    num_trials: int
    key: str
    experiment: str

    @property
    def name(self) -> str:
        """`<experiment>/<model>-<loss>/fold-<k>/<key>`; other params, data, code: another study."""
        return f"{self.experiment}/{self.cell.name}/fold-{self.fold}/{self.key[:16]}"

    @property
    def attributes(self) -> dict[str, Any]:
        """What Optuna's own tools show of the study: what was tuned, of what, on which data."""
        _, task, protocol = self.experiment.split("/")
        return {
            "task": task,
            "protocol": protocol,
            "model": self.cell.model,
            "loss": self.cell.loss,
            "fold": self.fold,
            "seed": self.cell.training.seeds[0],
            "tuned": [dimension.name for dimension in self.space],
            "emotions": list(self.cell.emotions),
        }


def load(plan: StudyPlan, storage: RDBStorage) -> optuna.Study:
    """Return the study, made if it is not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(
            storage=storage,
            study_name=plan.name,
            direction="maximize",
            sampler=_sampler(plan, slot=0),
            pruner=_pruner(plan),
            load_if_exists=True,
        )
        # Written where they differ: every worker loads the study.
        if study.metric_names != [METRIC]:
            study.set_metric_names([METRIC])
        noted = study.user_attrs
        for name, value in plan.attributes.items():
            if noted.get(name) != value:
                study.set_user_attr(name, value)
        return study


def prepare(plan: StudyPlan, storage: RDBStorage, url: str) -> optuna.Study:
    """Make a study ready for workers: dead trials failed, every unfinished slot waiting.

    Args:
        plan: The study.
        storage: Where it is, or will be.
        url: Of the storage.

    Returns:
        The study.
    """
    # Two machines that prepare it at once would queue each slot twice.
    with storages.alone(url, f"preparing {plan.name}"), storages.claiming(url):
        study = load(plan, storage)
        _fail_dead(study, storage, url)
        trials = study.get_trials(deepcopy=False)
        held = {slot_of(trial) for trial in trials if trial.state != TrialState.FAIL}
        failed = {slot_of(trial): trial for trial in trials if trial.state == TrialState.FAIL}
        first = dict(enumerate(starts(plan.space)))
        for slot in range(plan.num_trials):
            if slot not in held:
                values = failed[slot].params if slot in failed else {}
                study.enqueue_trial(values or first.get(slot, {}), user_attrs={SLOT: slot})
    return study


def waits(plan: StudyPlan, storage: RDBStorage) -> bool:
    """Return whether any slot of a prepared study waits for a worker."""
    waiting = load(plan, storage).get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return any(slot_of(trial) < plan.num_trials for trial in waiting)


def claim(plan: StudyPlan, study: optuna.Study, storage: RDBStorage, url: str) -> Trial | None:
    """Take the lowest waiting slot and draw its values.

    Args:
        plan: The study's plan.
        study: The study.
        storage: Where it is.
        url: Of the storage.

    Returns:
        The trial, running, or None where nothing waits.
    """
    with storages.claiming(url):
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        for found in sorted(waiting, key=slot_of):
            slot = slot_of(found)
            if slot >= plan.num_trials:
                continue
            if _is_duplicate(found, study):
                _become(TrialState.FAIL, found, storage)
                continue
            if not _become(TrialState.RUNNING, found, storage):
                continue
            study.sampler = _sampler(plan, slot=slot)
            trial = Trial(study, found._trial_id)
            for name, value in zip(_WORKER, astuple(this_process()), strict=True):
                trial.set_user_attr(name, value)
            for dimension in plan.space:
                _draw(trial, dimension)
            return trial
    return None


def run_trial(
    study: optuna.Study, trial: Trial, objective: Objective, storage: RDBStorage
) -> FrozenTrial:
    """Train a trial and tell the study what became of it.

    A trial whose loss diverges counts as ended early: the same values would diverge again.

    Args:
        study: The study.
        trial: From `claim`.
        objective: Trains; gets the values and a tracker, returns dev UAR.
        storage: Where the study is.

    Returns:
        The trial as the storage has it.

    Raises:
        BaseException: What ended the objective otherwise; the trial is told as failed.
    """
    try:
        with beating(storage, trial._trial_id):
            value = objective(dict(trial.params), TrialTracker(trial))
    except TrialPruned:
        return study.tell(trial, state=TrialState.PRUNED)
    except TrainingError as error:
        trial.set_user_attr("error", str(error))
        return study.tell(trial, state=TrialState.PRUNED)
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    return study.tell(trial, value)


def finished(plan: StudyPlan, study: optuna.Study) -> list[FrozenTrial]:
    """Return the finished trials that count, in order of their slots; pruned ones included."""
    trials = study.get_trials(deepcopy=False, states=_FINISHED)
    counted = [trial for trial in trials if slot_of(trial) < plan.num_trials]
    return sorted(counted, key=slot_of)


def as_planned(plan: StudyPlan, study: optuna.Study) -> optuna.Study:
    """Return the finished trials that count as a study of their own, numbered by their slots.

    It is kept in memory. Trials that an interruption cut are not in it, so what is drawn of it is
    the same with and without interruptions.
    """
    planned = optuna.create_study(study_name=plan.name, direction="maximize")
    planned.add_trials(finished(plan, study))
    return planned


def outcome(plan: StudyPlan, study: optuna.Study) -> TunedFold:
    """Return what a study chose: the highest dev UAR, ties to the earlier slot.

    Raises:
        TuningError: Trials are missing, or none of them came to its end.
    """
    trials = finished(plan, study)
    if len(trials) < plan.num_trials:
        raise TuningError(
            f"study {plan.name}: {len(trials)} of {plan.num_trials} trials are finished; another "
            f"process may be at the rest, or run the command again"
        )
    ended = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not ended:
        raise TuningError(
            f"study {plan.name}: none of {len(trials)} trials came to its end; lower the ends of "
            f"the ranges, or the learning rate"
        )
    best = max(ended, key=lambda trial: (_value(trial), -slot_of(trial)))
    return TunedFold(dict(best.params), plan.name, len(trials), _value(best))


def slot_of(trial: FrozenTrial) -> int:
    """Return the slot that a trial fills."""
    return int(trial.user_attrs[SLOT])


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None  # Optuna promises it of a complete trial
    return trial.value


def _sampler(plan: StudyPlan, *, slot: int) -> BaseSampler:
    name = f"{plan.cell.name}/fold-{plan.fold}"
    seed = seeding.derive(plan.params.seed, "tuning", name, slot)
    if plan.params.sampler == "random":
        return RandomSampler(seed=seed)
    return TPESampler(
        seed=seed,
        n_startup_trials=plan.params.num_startup_trials,
        multivariate=True,
        constant_liar=True,
    )


def _pruner(plan: StudyPlan) -> BasePruner:
    params = plan.params
    if plan.num_trials <= params.num_startup_trials:
        # It would judge nobody, and read all trials in every epoch to see that.
        return NopPruner()
    settings: dict[str, Any] = {
        "n_startup_trials": params.num_startup_trials,
        "n_warmup_steps": params.pruner_warmup_epochs,
    }
    if params.pruner == "median":
        return MedianPruner(**settings)
    if params.pruner == "percentile":
        return PercentilePruner(params.pruner_percentile, **settings)
    return NopPruner()


def _is_duplicate(waiting: FrozenTrial, study: optuna.Study) -> bool:
    """Whether two machines prepared the study at once and an earlier trial has the slot."""
    return any(
        trial.number < waiting.number and slot_of(trial) == slot_of(waiting)
        for trial in study.get_trials(deepcopy=False)
        if trial.state != TrialState.FAIL
    )


def _become(state: TrialState, trial: FrozenTrial, storage: RDBStorage) -> bool:
    """Give a trial a state, or return False where another worker has taken or even ended it."""
    try:
        return storage.set_trial_state_values(trial._trial_id, state)
    except UpdateFinishedTrialError:
        return False


def _draw(trial: Trial, dimension: Dimension) -> None:
    """Let the sampler give a trial its value of a dimension."""
    low, high = dimension.low, dimension.high
    if dimension.is_integer:
        trial.suggest_int(dimension.name, int(low), int(high), log=dimension.log)
    else:
        trial.suggest_float(dimension.name, low, high, log=dimension.log)


def _fail_dead(study: optuna.Study, storage: RDBStorage, url: str) -> None:
    """Mark trials failed whose worker is gone: seen at once here, by silence elsewhere."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial, url):
            logger.warning("study %s: trial %d was cut short", study.study_name, trial.number)
            _become(TrialState.FAIL, trial, storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _is_dead(trial: FrozenTrial, url: str) -> bool:
    """Whether a running trial's process on this machine has ended."""
    host, pid, started = (trial.user_attrs.get(name) for name in _WORKER)
    if pid is None or started is None:
        # The claim was cut before it could say whose it is; a local one would hold our lock.
        begun = trial.datetime_start or datetime.now()
        return storages.is_local(url) or (datetime.now() - begun).total_seconds() > storages.GRACE_S
    return Process(str(host), int(pid), float(started)).has_ended
