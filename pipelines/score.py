"""Stage score: data/trained -> runs, the cells with their scores; told to the tracker."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import stage_program
from ser.data import manifest
from ser.evaluation import scored_cell
from ser.grid import variants
from ser.grid.params import CellParams, RobustnessParams
from ser.params import StageParams
from ser.project import Project, Words
from ser.tracking import mlflow_tracker
from ser.tuning.params import TuningParams

logger = logging.getLogger("score")


class Params(StageParams):
    """Sections read: cells, robustness, tuning."""

    cells: Mapping[str, CellParams]
    robustness: RobustnessParams = RobustnessParams()
    tuning: TuningParams = TuningParams()


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return what training left, and who spoke."""
    return [
        project.manifest,
        project.trained("").folder,
        project.trained("", variants.UNTUNED).folder,
        project.trained("", variants.WITHOUT_COPIES).folder,
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the folder of the scored cells."""
    return [project.runs]


def run(params: Params, project: Project) -> None:
    """Score every cell and those that were trained in another way as well; tell the tracker."""
    speaker_of = {u.id: u.speaker for u in manifest.read(project.manifest)}
    names_of = {
        "": params.cells,
        variants.UNTUNED: params.tuning.cells,
        variants.WITHOUT_COPIES: params.robustness.without_copies,
    }
    for name, variant in [(name, variant) for variant, names in names_of.items() for name in names]:
        trained, scored = project.trained(name, variant), project.scored(name, variant)
        open_ = mlflow_tracker.open_experiment
        scores = scored_cell.publish(trained, scored, speaker_of, open_).scores
        said = {key: scores[key] for key in ("uar", "ccc") if key in scores}
        for key, value in said.items():
            logger.info("%s: test %s %.3f", f"{name} {variant}".strip(), key.upper(), value)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
