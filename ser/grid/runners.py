"""A cell of params.yaml, ready to run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator

from ser.contracts import Experiment
from ser.errors import ParamsError
from ser.grid import inputs, specs, tuned, variants
from ser.grid.cell import CellRunner
from ser.grid.inputs import Inputs
from ser.grid.params import CellParams
from ser.grid.plans import CellSections
from ser.grid.tuned import TunedCell
from ser.params import read
from ser.project import Project
from ser.tracking import memory_tracker, mlflow_tracker
from ser.training import device
from ser.training.plan import CellPlan, with_precision
from ser.training.recipe import NormalisedBy


class Params(CellSections):
    """Sections read: cells, training; of features, models, losses and recipes the cell's."""

    cells: Mapping[str, CellParams]


def open_experiment(data: Inputs, accelerator: Accelerator, variant: str = "") -> Experiment:
    """Return where runs are recorded; helping processes record nothing."""
    if not accelerator.is_main_process:
        return memory_tracker.MemoryExperiment()
    return open_store(data, variant)


def open_store(
    data: Inputs, variant: str = "", tracking_uri: str | None = None
) -> mlflow_tracker.MlflowExperiment:
    """Return where runs of cells are recorded in MLflow.

    Args:
        data: Of the cells.
        variant: Of the cells, see `ser.grid.variants`.
        tracking_uri: Of the store; None is the project's own.

    Raises:
        TrackingError: It cannot be used.
    """
    return mlflow_tracker.open_experiment(
        specs.experiment_name(data, variant),
        note=specs.experiment_note(data),
        tags=specs.experiment_tags(data),
        tracking_uri=tracking_uri,
        is_training=True,
    )


def make(
    params_file: Path,
    name: str,
    project: Project,
    *,
    is_tuned: bool = True,
    variant: str = "",
    experiment: Experiment | None = None,
    normalisation: NormalisedBy | None = None,
) -> CellRunner:
    """Return what trains a cell of params.yaml.

    Args:
        params_file: params.yaml.
        name: `<model>-<loss>`, one of `cells`.
        project: The checkout.
        is_tuned: Take over what tuning chose; else the values of params.yaml hold.
        variant: Of the cell and of the experiment, see `ser.grid.variants`.
        experiment: Where runs are recorded; None opens the project's own.
        normalisation: Instead of that of the model's recipe.

    Raises:
        ParamsError: There is no such cell, params.yaml is wrong, or the variant is to leave out
            copies that the recipe does not draw from, or of a corpus without classes.
        SerError: One of its inputs is missing or stale.
    """
    params, where = read(params_file, Params), str(params_file)
    if name not in params.cells:
        known = ", ".join(params.cells)
        raise ParamsError(f"{where}: there is no cell {name!r}; there are: {known}")
    cell = params.cells[name]
    expected = params.feature(cell.feature, where=where).model_dump(mode="json")
    data = inputs.load(project, cell.feature, feature_params=expected)
    plan = with_precision(
        params.plan(cell.model, cell.loss, emotions=data.emotions, where=where), data.store.spec
    )
    if variant:
        inputs.require_classes(data, what=f"{name} {variant}")
    plan = _without_copies(plan) if variant == variants.WITHOUT_COPIES else plan
    if normalisation is not None:
        recipe = plan.recipe.model_copy(update={"normalisation": normalisation})
        plan = replace(plan, recipe=recipe, is_across=True)
    inputs.require_targets(plan, data)
    inputs.require_copies(plan, data)
    tuned_cell = _tuned(plan, data) if is_tuned else None
    accelerator = device.accelerator(plan.training)
    return CellRunner(
        plan,
        data,
        experiment or open_experiment(data, accelerator, variant),
        project,
        accelerator,
        tuned=tuned_cell,
        variant=variant,
    )


def _tuned(plan: CellPlan, data: Inputs) -> TunedCell:
    """Return what tuning chose for this cell on these data."""
    path = data.project.tuned(data.feature)
    found = tuned.read(path, plan.model, plan.loss)
    if any(fold.params for fold in found.values()):
        tuned.require_made_from(path, plan.model, plan.loss, inputs.tuned_from(plan, data))
    return found


def _without_copies(plan: CellPlan) -> CellPlan:
    """Return a cell that hears `clean` alone."""
    if plan.recipe.copies is None:
        raise ParamsError(variants.nothing_to_leave_out(plan.name, plan.model))
    return replace(plan, recipe=plan.recipe.model_copy(update={"copies": None}))
