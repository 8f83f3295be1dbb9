"""Stage train: folds and features -> data/trained/<model>-<loss>, for one cell of the grid."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from tqdm import tqdm

from ser import params as settings
from ser import runtime, seeding
from ser.errors import ParamsError
from ser.features.extraction import EXTRACTORS
from ser.grid import inputs, specs, tuned
from ser.grid.cell import CellRunner
from ser.grid.inputs import InputPaths, Inputs
from ser.grid.params import CellParams
from ser.params import StageParams
from ser.project import Project
from ser.tracking import memory_tracker, mlflow_tracker
from ser.tracking.tracker import Experiment
from ser.training.plan import CellPlan
from ser.training.recipe import ACCELERATE_PRECISION, Recipe, TrainingParams


class Params(StageParams):
    """Sections read: cells, recipes, training; of features, models and losses the cell's."""

    cells: Mapping[str, CellParams]
    recipes: Mapping[str, Recipe]
    training: TrainingParams


def plan_cell(path: Path, cell: CellParams, *, emotions: tuple[str, ...]) -> CellPlan:
    """Return what params.yaml says of a cell.

    Raises:
        ParamsError: Its model, its loss or its recipe is missing or wrong.
    """
    model_params = settings.read_entry(path, "models", "ser.models", cell.model)
    loss_params = settings.read_entry(path, "losses", "ser.losses", cell.loss)
    params = settings.read(path, Params)
    if cell.model not in params.recipes:
        raise ParamsError(f"{path}: there is no recipes.{cell.model}; `{cell.model}: {{}}` will do")
    return CellPlan(
        cell.model,
        cell.loss,
        model_params,
        loss_params,
        params.recipes[cell.model],
        params.training,
        emotions,
    )


def open_experiment(data: Inputs, accelerator: Accelerator, variant: str = "") -> Experiment:
    """Return where runs are recorded; helping processes record nothing."""
    if not accelerator.is_main_process:
        return memory_tracker.MemoryExperiment()
    return mlflow_tracker.open_experiment(
        specs.experiment_name(data, variant),
        note=specs.experiment_note(data),
        tags={"ser.corpus": data.card.name},
    )


def make_runner(
    params_file: Path, name: str, project: Project, *, is_tuned: bool = True, variant: str = ""
) -> CellRunner:
    """Return what trains a cell of params.yaml.

    Args:
        params_file: params.yaml.
        name: `<model>-<loss>`, one of `cells`.
        project: The checkout.
        is_tuned: Take over what tuning chose; else the values of params.yaml hold.
        variant: Of the experiment, e.g. `untuned`.

    Raises:
        ParamsError: There is no such cell, or params.yaml is wrong.
        SerError: One of its inputs is missing or stale.
    """
    cells = settings.read(params_file, Params).cells
    if name not in cells:
        known = ", ".join(cells)
        raise ParamsError(f"{params_file}: there is no cell {name!r}; there are: {known}")
    cell = cells[name]
    feature = settings.read_entry(params_file, "features", EXTRACTORS, cell.feature)
    paths = InputPaths(
        project.manifest,
        project.corpus_card,
        project.splits,
        project.split_report,
        project.features(cell.feature),
    )
    data = inputs.load(paths, feature_params=feature.model_dump(mode="json"))
    plan = plan_cell(params_file, cell, emotions=data.emotions)
    inputs.require_ratings(plan, data)
    tuned_cell = tuned.read(project.tuned, cell.model, cell.loss) if is_tuned else None
    # Without a GPU this must be said: Accelerate would not join the processes of a launcher.
    on_cpu = plan.training.device == "cpu" or not torch.accelerator.is_available()
    precision = ACCELERATE_PRECISION[plan.training.precision]
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
    seeding.make_deterministic(plan.training.num_threads, strict=accelerator.device.type == "cpu")
    experiment = open_experiment(data, accelerator, variant)
    return CellRunner(
        plan, data, experiment, project, accelerator, tuned=tuned_cell, variant=variant
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", help="one of `cells` in params.yaml, e.g. lstm-focal")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--folds", type=Path, help="folder of other folds than data/splits.csv")
    parser.add_argument("--untuned", action="store_true", help="keep the values of params.yaml")
    parser.add_argument("--variant", default="", help="of the experiment, e.g. untuned")
    options = parser.parse_args(argv)

    def stage() -> None:
        runner = make_runner(
            options.params,
            options.cell,
            Project(folds=options.folds),
            is_tuned=not (options.untuned or options.variant),
            variant=options.variant,
        )
        runner.run(lambda jobs: tqdm(jobs, desc=options.cell, unit="fold", disable=None))

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
