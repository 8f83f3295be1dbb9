"""Stage tune: folds and one feature -> data/tuned/<feature>.json, for the cells that read it.

Also their figures and trials. A feature at a time, so that a cell waits for the feature, and with
it the weights, of no other.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import runtime
from ser.data import splits
from ser.grid import tuned
from ser.grid.params import CellParams
from ser.params import StageParams, read
from ser.project import Project, Words
from ser.tuning import trials_file
from ser.tuning.params import TuningParams


class Params(StageParams):
    """Sections read: cells, tuning.

    Those that cells are made of are read by `ser.tuning.feature_search`, which most features need
    not import. Of all of them, what decides this feature's search stands in one file of the stage
    `code`: another family's recipe is no reason to search again.
    """

    cells: Mapping[str, CellParams]
    tuning: TuningParams


def reads(project: Project, words: Words) -> list[Path]:
    """Return folds and feature, and the params and the code of the cells that are tuned."""
    return [
        project.manifest,
        project.corpus_card,
        project.splits,
        project.split_report,
        project.features(words["key"]),
        project.searched(words["key"]),
    ]


def writes(project: Project, words: Words) -> list[Path]:
    """Return what was chosen, and the figures."""
    return [project.tuned(words["key"]), project.tuning_figures(words["key"])]


def run(params_file: Path, feature: str, workers: int | None) -> None:
    """Search what is to be searched; write an entry for every cell that reads the feature."""
    params, project = read(params_file, Params), Project()
    trials_file.write(project.tuning_figures(feature))
    outcomes: dict[tuple[str, str], tuned.TunedCell] = {}
    made_from: dict[tuple[str, str], tuned.MadeFrom] = {}
    if chosen := params.tuning.chosen([], feature):
        from ser.tuning import feature_search

        outcomes, made_from = feature_search.run(
            params_file, feature, chosen, project, workers=workers
        )
    numbers = [fold.number for fold in splits.read(project.splits)]
    cells = [(c.model, c.loss) for c in params.cells.values() if c.feature == feature]
    found = tuned.with_untuned(outcomes, cells, numbers)
    tuned.write(project.tuned(feature), found, made_from)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("feature", nargs="?", help="whose cells are searched, e.g. mfcc")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--workers", type=int, help="instead of tuning.num_workers")
    parser.add_argument(
        "--trials-only",
        nargs="*",
        metavar="CELL",
        help="fill the storage, write no data/tuned; all of tuning.cells if none is named",
    )
    options = parser.parse_args(argv)
    if (options.feature is None) == (options.trials_only is None):
        parser.error("name either a feature, or cells after --trials-only")

    def stage() -> None:
        if options.feature is not None:
            run(options.params, options.feature, options.workers)
            return
        from ser.tuning import feature_search

        feature_search.fill(options.params, options.trials_only, options.workers)

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
