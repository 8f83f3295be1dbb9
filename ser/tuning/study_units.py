"""Trials of a study as a unit of work, for a machine with a project of its own.

Where studies are kept by a server that all machines reach, a unit is one trial: the node takes the
next slot from there. Where they are kept in a file, no other machine can write to it: a unit is a
whole study, and what it came to comes back as a file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from ser import files
from ser.engine import agreement
from ser.errors import NodeError, SerError
from ser.params import read
from ser.project import Project
from ser.tracking.recording import flatten
from ser.tuning import feature_search, study_files, workers
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning.feature_search import Sections
from ser.tuning.jobs import Job
from ser.wording import without_password

_SLOT = "slot.json"


@dataclass(frozen=True, slots=True)
class StudyUnit:
    """What has to be searched of a cell on a fold.

    Args:
        feature: What the cell reads.
        cell: `<model>-<loss>`.
        fold: Its number.
        key: Of the study.
        num_trials: That the study shall have.
        slot: Number of the trial; None is the whole study.
        decided_by: What decides the study, name -> value.
    """

    feature: str
    cell: str
    fold: int
    key: str
    num_trials: int
    slot: int | None
    decided_by: Mapping[str, str] = field(compare=False)

    @property
    def name(self) -> str:
        """The unit, for people."""
        study = f"tune/{self.cell}/fold-{self.fold}"
        return study if self.slot is None else f"{study}/trial-{self.slot}"

    @property
    def folder(self) -> Path:
        """What it leaves, relative to the root of any project."""
        return Project().kept_study(self.key if self.slot is None else f"{self.key}-{self.slot}")

    @property
    def remains(self) -> tuple[Path, ...]:
        """Nothing: where it dies, its storage has it."""
        return ()


def missing(feature: str) -> Iterator[StudyUnit]:
    """Yield what the studies of the cells that read a feature still need.

    Args:
        feature: One of `features` in params.yaml, in the working directory.

    Raises:
        SerError: See `ser.tuning.feature_search.run`.
    """
    if not _chosen(feature):
        return
    url = _url()
    storage = storages.connect(url)
    for job in _jobs(feature).values():
        plan = job.study
        # One that a file keeps is not begun here: its trials are those of the node.
        study = (
            studies.load(plan, storage)
            if storages.is_local(url)
            else studies.prepare(plan, storage, url)
        )
        done = {studies.slot_of(trial) for trial in studies.finished(plan, study)}
        left = [slot for slot in range(plan.num_trials) if slot not in done]
        asked: list[int | None] = [None] if left and storages.is_local(url) else [*left]
        for slot in asked:
            said = flatten(job.decided_by)
            yield StudyUnit(
                feature, plan.cell.name, plan.fold, plan.key, plan.num_trials, slot, said
            )


def search(unit: StudyUnit) -> None:
    """Search a unit in the project that is the working directory.

    Args:
        unit: From `missing`, of this project or of another one.

    Raises:
        NodeError: Here the study would be another one, or its data or its storage are not here.
        TuningError: The storage cannot be used.
    """
    try:
        jobs, url = _jobs_once(unit.feature), _url()
    except SerError as error:
        raise NodeError(str(error)) from error
    job = jobs.get((unit.cell, unit.fold))
    if job is None:
        raise NodeError(f"there is no study of {unit.cell} on fold {unit.fold} here")
    if job.study.key != unit.key:
        raise agreement.refusal(unit.decided_by, flatten(job.decided_by))
    job = replace(job, study=replace(job.study, num_trials=unit.num_trials))
    if unit.slot is None:
        workers.run([job], url, num_workers=1, report=lambda: None)
    else:
        _require_study(job, url)
        workers.take_one(job, url)
    with files.replacing_folder(unit.folder) as part:
        if unit.slot is None:
            study_files.write(job.study, url, part)
        else:
            files.write_json(part / _SLOT, {"study": job.study.name, "slot": unit.slot})


def take(unit: StudyUnit) -> None:
    """Put what a unit has left into the storage here, and remove its folder.

    Args:
        unit: From `missing`; it has been searched, and its folder is here.

    Raises:
        TuningError: What came is damaged, or the storage cannot be used.
    """
    if unit.slot is None:
        job = _jobs_once(unit.feature)[unit.cell, unit.fold]
        study_files.take(job.study, unit.folder, _url())
    files.remove_folder(unit.folder)


def _require_study(job: Job, url: str) -> None:
    """Refuse a trial of a study that is not kept where this node would look for it."""
    try:
        if not storages.is_local(url):
            storages.connect(url).get_study_id_from_name(job.study.name)
            return
    except KeyError:
        pass
    raise NodeError(
        f"study {job.study.name} is not in {without_password(url)}; start Ray there with the "
        f"OPTUNA_STORAGE of whoever asks"
    )


def _chosen(feature: str) -> list[str]:
    return read(Project().params, Sections).tuning.chosen([], feature)


def _url() -> str:
    project = Project()
    return storages.resolve(read(project.params, Sections).tuning.storage, project.root)


def _jobs(feature: str) -> dict[tuple[str, int], Job]:
    project = Project()
    found = feature_search.jobs_of(
        project.params, feature, _chosen(feature), project, in_full=False
    )
    return {(job.study.cell.name, job.study.fold): job for job, _ in found}


#: A process reads the data once and not once a unit.
_jobs_once = lru_cache(maxsize=2)(_jobs)
