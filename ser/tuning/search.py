"""All studies of a project: what to search, the search itself, and what is written of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna

from ser.contracts import Experiment
from ser.data.splits import Fold
from ser.grid.inputs import Inputs
from ser.grid.params import Cell
from ser.grid.tuned import TunedCell, TunedFold
from ser.training import device
from ser.training.plan import CellPlan
from ser.tuning import jobs as job_making
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning import trials_file, workers
from ser.tuning.jobs import Job
from ser.tuning.params import TuningParams
from ser.tuning.recording import Recorder


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search works.

    Args:
        root: The project's root.
        url: Of the storage, from `ser.tuning.storage.resolve`.
        figures: Folder of the figures, and of `trials.csv`.
    """

    root: Path
    url: str
    figures: Path


def make_jobs(
    plans: Iterable[tuple[CellPlan, Inputs]], params: TuningParams, *, root: Path
) -> list[tuple[Job, Inputs]]:
    """Return the job of every cell and fold, with the cell's inputs.

    Raises:
        ParamsError: A space is wrong.
    """
    return [
        (_job(plan, params, data, fold, root), data) for plan, data in plans for fold in data.folds
    ]


def _job(plan: CellPlan, params: TuningParams, data: Inputs, fold: Fold, root: Path) -> Job:
    kind = "cpu" if device.on_cpu(plan.training) else "gpu"
    return job_making.make(plan, params, data, fold, root=root, device=kind)


def search(
    jobs: Sequence[tuple[Job, Inputs]],
    experiment: Experiment,
    place: Place,
    *,
    num_workers: int,
) -> dict[Cell, TunedCell]:
    """Run studies to their end, record them, and write their figures and trials.

    Args:
        jobs: From `make_jobs`.
        experiment: Where studies and trials are recorded.
        place: Where to work.
        num_workers: Processes that share the trials.

    Returns:
        (model, loss) -> fold -> what was chosen.

    Raises:
        TuningError: The storage cannot be used, or a study cannot be finished.
    """
    storage = storages.connect(place.url)
    loaded = {job.study.name: studies.load(job.study, storage) for job, _ in jobs}
    alone = partial(storages.alone, place.url, "recording")
    with Recorder(
        experiment, jobs, loaded, root=place.root, folder=place.figures, alone=alone
    ) as recorder:
        bare = [job for job, _ in jobs]
        workers.run(bare, place.url, num_workers=num_workers, report=recorder.report)
        recorder.conclude()
    outcomes: dict[Cell, dict[int, TunedFold]] = {}
    for job, _ in jobs:
        plan = job.study
        folds = outcomes.setdefault((plan.cell.model, plan.cell.loss), {})
        folds[plan.fold] = studies.outcome(plan, loaded[plan.name])
    write_trials(place.figures, bare, loaded)
    return dict(outcomes)


def write_trials(folder: Path, jobs: Sequence[Job], loaded: Mapping[str, optuna.Study]) -> None:
    """Write one row per finished trial: `model, loss, fold, trial, state, dev_uar, epochs`.

    Their values follow, a column per param that any study searched.
    """
    rows = [
        {
            "model": job.study.cell.model,
            "loss": job.study.cell.loss,
            "fold": job.study.fold,
            "trial": studies.slot_of(trial),
            "state": trial.state.name.lower(),
            "dev_uar": trial.value,
            "epochs": len(trial.intermediate_values),
            **trial.params,
        }
        for job in jobs
        for trial in studies.finished(job.study, loaded[job.study.name])
    ]
    trials_file.write(folder, rows)
