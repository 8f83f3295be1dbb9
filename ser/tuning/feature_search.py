"""The search over the cells that read one feature: their inputs, studies and outcomes."""

from collections.abc import Sequence
from pathlib import Path

from ser.grid import inputs, specs
from ser.grid.inputs import Inputs
from ser.grid.params import Cell
from ser.grid.plans import CellSections
from ser.grid.tuned import MadeFrom, TunedCell
from ser.params import read
from ser.project import Project
from ser.tracking import mlflow_tracker
from ser.training.plan import CellPlan, with_precision
from ser.tuning import recording, search, storage
from ser.tuning.jobs import Job
from ser.tuning.params import TuningParams
from ser.tuning.search import Place


class Sections(CellSections):
    """Sections read: tuning, and those of every cell that is searched."""

    tuning: TuningParams


def run(
    params_file: Path, feature: str, names: Sequence[str], project: Project, *, workers: int | None
) -> tuple[dict[Cell, TunedCell], dict[Cell, MadeFrom]]:
    """Search params of cells, record the studies, write their figures and trials.

    Args:
        params_file: params.yaml.
        feature: What the cells read; no other feature is asked for.
        names: Cells of `tuning.cells`, each with at least one trial.
        project: The checkout.
        workers: Processes, or None for what params.yaml says.

    Returns:
        (model, loss) -> fold -> what was chosen, and (model, loss) -> what it was chosen for.

    Raises:
        ParamsError: params.yaml, or a space in it, is wrong.
        TuningError: The storage cannot be used, or a study cannot be finished.
        SerError: An input of the cells is missing or stale.
    """
    params = read(params_file, Sections)
    jobs = jobs_of(params_file, feature, names, project, in_full=True)
    found = jobs[0][1]
    experiment = mlflow_tracker.open_experiment(
        specs.experiment_name(found, recording.VARIANT),
        note=recording.experiment_note(found),
        tags=recording.experiment_tags(found),
    )
    url = storage.resolve(params.tuning.storage, project.root)
    place = Place(project.root, url, project.tuning_figures(feature))
    outcomes = search.search(
        jobs, experiment, place, num_workers=workers or params.tuning.num_workers
    )
    made_from: dict[Cell, MadeFrom] = {
        (job.study.cell.model, job.study.cell.loss): inputs.tuned_from(job.study.cell, data)
        for job, data in jobs
    }
    return outcomes, made_from


def jobs_of(
    params_file: Path, feature: str, names: Sequence[str], project: Project, *, in_full: bool
) -> list[tuple[Job, Inputs]]:
    """Return the studies of cells, with the data of each.

    Args:
        params_file: params.yaml.
        feature: What the cells read.
        names: Cells of `tuning.cells`.
        project: The checkout.
        in_full: See `ser.grid.inputs.load`.

    Raises:
        ParamsError: params.yaml, or a space in it, is wrong.
        SerError: An input of the cells is missing or stale.
    """
    params, where = read(params_file, Sections), str(params_file)
    expected = params.feature(feature, where=where).model_dump(mode="json")
    found = inputs.load(project, feature, feature_params=expected, in_full=in_full)
    plans = [_plan(params, name, found, where=where) for name in names]
    return search.make_jobs(((plan, found) for plan in plans), params.tuning, root=project.root)


def fill(params_file: Path, names: Sequence[str], workers: int | None) -> None:
    """Search cells whatever features they read; the storage keeps the trials.

    Args:
        params_file: params.yaml, in the project's root.
        names: Cells of `tuning.cells`, or none for all.
        workers: See `run`.

    Raises:
        ParamsError, TuningError, SerError: See `run`.
    """
    tuning = read(params_file, Sections).tuning
    chosen = tuning.chosen(names)
    for feature in dict.fromkeys(tuning.cells[name].feature for name in chosen):
        own = [name for name in chosen if tuning.cells[name].feature == feature]
        run(params_file, feature, own, Project(), workers=workers)


def _plan(params: Sections, name: str, found: Inputs, *, where: str) -> CellPlan:
    cell = params.tuning.cells[name]
    plan = with_precision(
        params.plan(cell.model, cell.loss, emotions=found.emotions, where=where), found.store.spec
    )
    inputs.require_targets(plan, found)
    inputs.require_normalising(plan, found)
    inputs.require_copies(plan, found)
    return plan
