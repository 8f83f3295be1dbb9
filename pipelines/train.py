"""Stage train: folds and features -> runs/<model>-<loss>, for one cell of the grid."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from tqdm import tqdm

from ser import params as settings
from ser import runtime, seeding
from ser.contracts import Experiment
from ser.errors import ParamsError
from ser.features.extraction import EXTRACTORS
from ser.grid import inputs, specs, tuned
from ser.grid.cell import CellRunner, Workspace
from ser.grid.inputs import InputPaths, Inputs
from ser.params import StageParams
from ser.tracking import memory_tracker, mlflow_tracker
from ser.training.plan import CellPlan
from ser.training.recipe import ACCELERATE_PRECISION, Recipe, TrainingParams


class Params(StageParams):
    """Sections read: recipes.<model>, training; features.*, models.*, losses.* of the cell."""

    recipes: dict[str, Recipe]
    training: TrainingParams


def plan_cell(path: Path, model: str, loss: str, *, emotions: tuple[str, ...]) -> CellPlan:
    """Return what params.yaml says of a cell."""
    model_params = settings.read_entry(path, "models", "ser.models", model)
    loss_params = settings.read_entry(path, "losses", "ser.losses", loss)
    params = settings.read(path, Params)
    if model not in params.recipes:
        raise ParamsError(f"{path}: there is no recipes.{model}; `{model}: {{}}` will do")
    return CellPlan(
        model,
        loss,
        model_params,
        loss_params,
        params.recipes[model],
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
        tags={"ser.corpus": data.card["name"]},
    )


def run(
    params_file: Path,
    cell: tuple[str, str],
    paths: InputPaths,
    workspace: Workspace,
    *,
    tuned_file: Path | None = None,
    variant: str = "",
) -> None:
    """Train a cell (model, loss): all folds under all seeds, tuned where there is a file."""
    feature = settings.read_entry(params_file, "features", EXTRACTORS, paths.features.name)
    data = inputs.load(paths, feature_params=feature.model_dump(mode="json"))
    plan = plan_cell(params_file, *cell, emotions=data.emotions)
    inputs.require_ratings(plan, data)
    tuned_cell = tuned.read(tuned_file, *cell) if tuned_file else None
    # Without a GPU this must be said: Accelerate would not join the processes of a launcher.
    on_cpu = plan.training.device == "cpu" or not torch.accelerator.is_available()
    precision = ACCELERATE_PRECISION[plan.training.precision]
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
    seeding.make_deterministic(plan.training.num_threads, strict=accelerator.device.type == "cpu")
    experiment = open_experiment(data, accelerator, variant)
    runner = CellRunner(
        plan, data, experiment, workspace, accelerator, tuned=tuned_cell, variant=variant
    )
    runner.run(lambda jobs: tqdm(jobs, desc=plan.name, unit="fold", disable=None))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a file of ser/models, e.g. lstm")
    parser.add_argument("--loss", required=True, help="a file of ser/losses, e.g. cross_entropy")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--tuned", type=Path, help="data/tuned.json; else params.yaml's values")
    parser.add_argument("--variant", default="", help="of the experiment, e.g. untuned")
    for name in ("manifest", "card", "splits", "split-report", "features", "work", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args(argv)
    paths = InputPaths(
        options.manifest, options.card, options.splits, options.split_report, options.features
    )
    workspace = Workspace(Path(), options.work, options.out)
    stage = partial(run, options.params, (options.model, options.loss), paths, workspace)
    return runtime.run_main(lambda: stage(tuned_file=options.tuned, variant=options.variant))


if __name__ == "__main__":
    raise SystemExit(main())
