"""Stage train: folds and features -> runs/<model>-<loss>, for one cell of the grid."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from accelerate import Accelerator
from tqdm import tqdm

from ser import components, runtime
from ser.grid import inputs, specs, tuned
from ser.grid.cell import CellRunner, Workspace
from ser.grid.inputs import Inputs
from ser.grid.plans import CellSections
from ser.params import read
from ser.project import Project, Words
from ser.tracking import memory_tracker, mlflow_tracker
from ser.tracking.tracker import Experiment
from ser.training import device

#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.MODELS: "item.model", components.LOSSES: "item.loss"}

#: Sections read: training; features.*, models.*, losses.* and recipes.* of the cell.
Params = CellSections


def reads(project: Project, words: Words) -> list[Path]:
    """Return folds and feature, and what tuning chose where that is used.

    A checkpoint that the model goes on with is pinned by the feature's folder, by its digest.
    """
    tuned_values = [] if words["stage"] == "untuned" else [project.tuned]
    return [
        project.manifest,
        project.corpus_card,
        project.splits,
        project.split_report,
        project.features(words["item.feature"]),
        *tuned_values,
    ]


def writes(project: Project, words: Words) -> list[Path]:
    """Return the cell's folder."""
    cell, stage = words["key"], words["stage"]
    return [(project.trained(cell, stage) if stage == "untuned" else project.run(cell)).folder]


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
    project: Project,
    feature: str,
    workspace: Workspace,
    *,
    tuned_file: Path | None = None,
    variant: str = "",
) -> None:
    """Train a cell (model, loss): all folds under all seeds, tuned where there is a file."""
    params, where = read(params_file, Params), str(params_file)
    expected = params.feature(feature, where=where).model_dump(mode="json")
    data = inputs.load(project, feature, feature_params=expected)
    plan = params.plan(*cell, emotions=data.emotions, where=where)
    inputs.require_ratings(plan, data)
    tuned_cell = tuned.read(tuned_file, *cell) if tuned_file else None
    accelerator = device.accelerator(plan.training)
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
    parser.add_argument("--feature", required=True, help="what the model reads, e.g. mfcc")
    parser.add_argument("--folds", type=Path, help="folder of splits.csv, instead of data")
    parser.add_argument("--out", type=Path, required=True, help="the cell's folder")
    options = parser.parse_args(argv)
    project = Project(folds=options.folds)
    workspace = Workspace(project.root, project.work, options.out)
    cell = options.model, options.loss
    stage = partial(run, options.params, cell, project, options.feature, workspace)
    return runtime.run_main(lambda: stage(tuned_file=options.tuned, variant=options.variant))


if __name__ == "__main__":
    raise SystemExit(main())
