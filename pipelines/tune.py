"""Stage tune: folds and features -> data/tuned.json, for all cells; figures and trials."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from ser import params as settings
from ser import runtime
from ser.data import splits
from ser.features.extraction import EXTRACTORS
from ser.grid import inputs, specs, tuned
from ser.grid.inputs import InputPaths, Inputs
from ser.grid.params import CellParams
from ser.params import StageParams, component_map
from ser.tracking import mlflow_tracker
from ser.training.plan import CellPlan
from ser.training.recipe import Recipe, TrainingParams
from ser.tuning import recording, search, storage
from ser.tuning.params import TuningParams
from ser.tuning.search import Cell, Place


class Params(StageParams):
    """Sections read."""

    cells: Mapping[str, CellParams]
    features: component_map(EXTRACTORS)  # type: ignore[valid-type]
    losses: component_map("ser.losses")  # type: ignore[valid-type]
    models: component_map("ser.models")  # type: ignore[valid-type]
    recipes: Mapping[str, Recipe]
    training: TrainingParams
    tuning: TuningParams


def plans(params: Params, names: Sequence[str], data: Path) -> Iterator[tuple[CellPlan, Inputs]]:
    """Yield the cells to search, each with its inputs."""

    @cache
    def load(feature: str) -> Inputs:
        paths = InputPaths(
            data / "manifest.jsonl",
            data / "corpus.json",
            data / "splits.csv",
            data / "split_report.json",
            data / "features" / feature,
        )
        expected = params.features[feature].model_dump(mode="json")
        return inputs.load(paths, feature_params=expected)

    for name in names:
        cell, found = params.tuning.cells[name], load(params.tuning.cells[name].feature)
        chosen = (params.models[cell.model], params.losses[cell.loss], params.recipes[cell.model])
        plan = CellPlan(cell.model, cell.loss, *chosen, params.training, found.emotions)
        inputs.require_ratings(plan, found)
        yield plan, found


def run(
    params: Params, names: Sequence[str], data: Path, out: Path | None, figures: Path, workers: int
) -> None:
    """Search what is to be searched; write an entry for every cell, if anything."""
    outcomes: dict[Cell, tuned.TunedCell] = {}
    search.write_trials(figures / "trials.csv", [], {})
    chosen = search.chosen_cells(params.tuning, names)
    if chosen:
        jobs = search.make_jobs(plans(params, chosen, data), params.tuning, root=Path())
        found = jobs[0][1]
        experiment = mlflow_tracker.open_experiment(
            specs.experiment_name(found, recording.VARIANT),
            note=recording.experiment_note(found),
            tags={"ser.corpus": found.card.name},
        )
        place = Place(Path(), storage.resolve(params.tuning.storage, Path()), figures)
        outcomes = search.search(jobs, experiment, place, num_workers=workers)
    if out is not None:
        numbers = [fold.number for fold in splits.read(data / "splits.csv")]
        cells = [(cell.model, cell.loss) for cell in params.cells.values()]
        tuned.write(out, search.with_untuned(outcomes, cells, numbers))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", help="some of tuning.cells, or none for all")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--data", type=Path, required=True, help="folder of manifest and splits")
    parser.add_argument("--out", type=Path, help="data/tuned.json; else only trials are run")
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--workers", type=int, help="instead of tuning.num_workers")
    options = parser.parse_args(argv)
    if options.cells and options.out:
        parser.error("some cells make no whole data/tuned.json: leave --out away")

    def stage() -> None:
        params = settings.read(options.params, Params)
        workers = options.workers or params.tuning.num_workers
        places = {name: getattr(options, name) for name in ("data", "out", "figures")}
        run(params, options.cells, **places, workers=workers)

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
