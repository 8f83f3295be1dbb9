"""Processes that fill the slots of studies, and the one that waits for them."""

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import SpawnProcess

from accelerate import Accelerator
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from ser import provenance, runtime
from ser.errors import TuningError
from ser.project import Project
from ser.training import device
from ser.tuning import jobs as job_making
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning import trial_provenance
from ser.tuning.jobs import Job

logger = logging.getLogger(__name__)

#: How often the waiting process looks whether its workers are done, in seconds.
_POLL_S = 1.0

#: How often it looks for finished trials meanwhile, in seconds: it reads all studies for that, on
#: a processor that a worker has.
_REPORT_EVERY_S = 10.0

#: How often it looks whether other machines are done with the slots that they took, in seconds.
_ASK_OTHERS_EVERY_S = 2.0

Reporter = Callable[[], None]


def run(jobs: Sequence[Job], url: str, *, num_workers: int, report: Reporter) -> None:
    """Run the trials of studies until each has as many as it shall have.

    Slots that another machine is at are waited for; if it dies, they are filled here.

    Args:
        jobs: The studies; they share the settings of training.
        url: Of the storage, from `ser.tuning.storage.resolve`.
        num_workers: Processes; one is this process itself.
        report: Called again and again while trials finish, and once at the end.

    Raises:
        TuningError: The storage cannot be used, or a worker died more often than slots can
            be retried.
    """
    storage = storages.connect(url)
    while open_jobs := [job for job in jobs if _open_slots(job, storage, url)]:
        waiting = [job for job in open_jobs if studies.waits(job.study, storage)]
        if not waiting:
            report()
            time.sleep(_ASK_OTHERS_EVERY_S)
        elif num_workers == 1:
            work(waiting, url, report)
        else:
            _run_processes(waiting, url, num_workers, report)
    report()


def work(jobs: Sequence[Job], url: str, report: Reporter = lambda: None) -> None:
    """Fill waiting slots until there are none.

    Args:
        jobs: The studies, prepared; filled in this order.
        url: Of the storage.
        report: Called after every trial.
    """
    if not jobs:
        return
    storage = storages.connect(url)
    for job in jobs:
        _fill(job, storage, url, device.accelerator(job.study.cell.training), report)


def _fill(
    job: Job, storage: RDBStorage, url: str, accelerator: Accelerator, report: Reporter
) -> None:
    with runtime.sparing_what_stays():
        for _ in _trials(job, storage, url, accelerator):
            report()


def take_one(job: Job, url: str) -> None:
    """Fill one waiting slot of a study, if any is left.

    Args:
        job: The study, prepared by whoever keeps it.
        url: Of the storage.

    Raises:
        TuningError: The storage cannot be used.
    """
    accelerator = device.accelerator(job.study.cell.training)
    next(_trials(job, storages.connect(url), url, accelerator), None)


def _trials(
    job: Job, storage: RDBStorage, url: str, accelerator: Accelerator
) -> Iterator[FrozenTrial]:
    """Fill waiting slots of a study, and yield each trial; until none waits."""
    plan = job.study
    study = studies.load(plan, storage)
    score = job_making.objective(plan.cell, job.data(), accelerator)
    worker = provenance.here(Project().root)
    while (trial := studies.claim(plan, study, storage, url)) is not None:
        trial_provenance.note(trial, worker)
        done = studies.run_trial(study, trial, score, storage)
        shown = "-" if done.value is None else f"{done.value:.3f}"
        state, slot = done.state.name.lower(), studies.slot_of(done)
        logger.info("%s: trial %d %s, dev UAR %s", plan.name, slot, state, shown)
        yield done


def _open_slots(job: Job, storage: RDBStorage, url: str) -> bool:
    """Prepare a study; return whether any of its slots is not finished."""
    study = studies.prepare(job.study, storage, url)
    return len(studies.finished(job.study, study)) < job.study.num_trials


def _run_processes(jobs: Sequence[Job], url: str, num_workers: int, report: Reporter) -> None:
    """Start workers; start others for the slots of those that died, as often as it helps."""
    storage = storages.connect(url)
    for _ in range(num_workers + 1):
        if not jobs:
            return
        failed = _one_round(jobs, url, num_workers, report)
        jobs = [job for job in jobs if _open_slots(job, storage, url)]
        if jobs and not failed:
            return  # what is left is another machine's
    raise TuningError(
        f"{len(jobs)} studies are not finished because workers failed again and again; the "
        f"messages above say why"
    )


def _one_round(jobs: Sequence[Job], url: str, num_workers: int, report: Reporter) -> bool:
    """Let workers run to their end; return whether any of them failed."""
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = [
        context.Process(target=_main, args=(tuple(jobs), url), name=f"tuning-{number}")
        for number in range(num_workers)
    ]
    try:
        for process in processes:
            process.start()
        reported_at = time.monotonic()
        while any(process.is_alive() for process in processes):
            processes[0].join(_POLL_S)
            if time.monotonic() - reported_at >= _REPORT_EVERY_S:
                report()
                reported_at = time.monotonic()
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            if process.pid is not None:
                process.join()
    return any(process.exitcode for process in processes)


def _main(jobs: Sequence[Job], url: str) -> None:
    """Be a worker process."""
    runtime.configure()
    raise SystemExit(runtime.run_main(lambda: work(jobs, url)))
