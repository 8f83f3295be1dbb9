"""Stage tune: folds and features -> data/tuned.json, for all cells; figures and trials."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from ser import runtime
from ser.data import splits
from ser.grid import inputs, specs, tuned
from ser.grid.inputs import Inputs
from ser.grid.params import Cell, CellParams
from ser.grid.plans import CellSections
from ser.params import read
from ser.project import Project, Words
from ser.tracking import mlflow_tracker
from ser.training.plan import CellPlan
from ser.tuning import recording, search, storage
from ser.tuning.params import TuningParams
from ser.tuning.search import Place


class Params(CellSections):
    """Sections read: cells, tuning, and those of every tuned cell."""

    cells: Mapping[str, CellParams]
    tuning: TuningParams


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return folds and features, and the code of the models and losses that are tuned."""
    return [
        project.manifest,
        project.corpus_card,
        project.splits,
        project.split_report,
        project.all_features,
        project.code_of_tuned,
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return what was chosen, and the figures."""
    return [project.tuned, project.tuning_figures]


def plans(
    params: Params, names: Sequence[str], project: Project, *, where: str
) -> Iterator[tuple[CellPlan, Inputs]]:
    """Yield the cells to search, each with its inputs."""

    @cache
    def load(feature: str) -> Inputs:
        expected = params.feature(feature, where=where).model_dump(mode="json")
        return inputs.load(project, feature, feature_params=expected)

    for name in names:
        cell = params.tuning.cells[name]
        found = load(cell.feature)
        plan = params.plan(cell.model, cell.loss, emotions=found.emotions, where=where)
        inputs.require_targets(plan, found)
        inputs.require_normalising(plan, found)
        inputs.require_copies(plan, found)
        yield plan, found


def run(params_file: Path, names: Sequence[str], workers: int | None, *, trials_only: bool) -> None:
    """Search what is to be searched; write an entry for every cell, if anything."""
    params, project = read(params_file, Params), Project()
    outcomes: dict[Cell, tuned.TunedCell] = {}
    search.write_trials(project.tuning_figures / "trials.csv", [], {})
    chosen = search.chosen_cells(params.tuning, names)
    if chosen:
        planned = plans(params, chosen, project, where=str(params_file))
        jobs = search.make_jobs(planned, params.tuning, root=project.root)
        found = jobs[0][1]
        experiment = mlflow_tracker.open_experiment(
            specs.experiment_name(found, recording.VARIANT),
            note=recording.experiment_note(found),
            tags=recording.experiment_tags(found),
        )
        url = storage.resolve(params.tuning.storage, project.root)
        place = Place(project.root, url, project.tuning_figures)
        num_workers = workers or params.tuning.num_workers
        outcomes = search.search(jobs, experiment, place, num_workers=num_workers)
    if not trials_only:
        numbers = [fold.number for fold in splits.read(project.splits)]
        cells = [(cell.model, cell.loss) for cell in params.cells.values()]
        tuned.write(project.tuned, search.with_untuned(outcomes, cells, numbers))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", help="some of tuning.cells, or none for all")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--workers", type=int, help="instead of tuning.num_workers")
    parser.add_argument(
        "--trials-only", action="store_true", help="fill the storage, write no data/tuned.json"
    )
    options = parser.parse_args(argv)
    if options.cells and not options.trials_only:
        parser.error("some cells make no whole data/tuned.json: say --trials-only")
    return runtime.run_main(
        lambda: run(options.params, options.cells, options.workers, trials_only=options.trials_only)
    )


if __name__ == "__main__":
    raise SystemExit(main())
