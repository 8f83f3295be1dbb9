"""Stage train: folds and features -> data/trained/<model>-<loss>, for one cell of the grid."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ser import components
from ser.engine import launching
from ser.grid import runners, variants
from ser.project import Project, Words
from ser.training import ranks

#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.MODELS: "item.model", components.LOSSES: "item.loss"}

#: Sections read: see there.
Params = runners.Params


def reads(project: Project, words: Words) -> list[Path]:
    """Return folds and feature, and what tuning chose where that is used.

    A checkpoint that the model goes on with is pinned by the feature's folder, by its digest.
    """
    is_tuned = variants.is_tuned(words["stage"])
    tuned_values = [project.tuned(words["item.feature"])] if is_tuned else []
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
    variant = "" if words["stage"] == "train" else words["stage"]
    return [project.trained(words["key"], variant).folder]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line: alone, or in as many processes as `launcher` says."""
    given = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", help="one of `cells` in params.yaml, e.g. lstm-focal")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--folds", type=Path, help="folder of splits.csv, instead of data")
    parser.add_argument("--untuned", action="store_true", help="keep the values of params.yaml")
    parser.add_argument("--variant", default="", help="see ser/grid/variants.py")
    options = parser.parse_args(given)

    def stage() -> int:
        if (launcher := launching.due(options.params)) is not None:
            return launching.start(launcher, "pipelines.train", given)
        _train(options)
        return 0

    return launching.run_main(stage)


def _train(options: argparse.Namespace) -> None:
    # First of all: whatever fails from here on fails on all ranks.
    ranks.join()
    with ranks.together():
        runner = runners.make(
            options.params,
            options.cell,
            Project(folds=options.folds),
            is_tuned=variants.is_tuned(options.variant) and not options.untuned,
            variant=options.variant,
        )
    is_quiet = None if ranks.is_first() else True
    runner.run(lambda jobs: tqdm(jobs, desc=options.cell, unit="fold", disable=is_quiet))
    ranks.leave()


if __name__ == "__main__":
    raise SystemExit(main())
