"""Stage gain: tuned and untuned predictions -> reports/tuning.csv, compared on the test parts."""

import logging
from collections.abc import Sequence
from pathlib import Path

from ser import predictions, stage_program, tables
from ser.data import manifest
from ser.evaluation import tuning_gain
from ser.evaluation.tuning_gain import TunedAndUntuned
from ser.grid import tuned, variants
from ser.params import StageParams
from ser.project import Project, Words
from ser.tracking import cells
from ser.tuning.params import TuningParams

logger = logging.getLogger("gain")


class Params(StageParams):
    """Sections read: tuning."""

    tuning: TuningParams


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the cells, tuned and untuned, what was chosen, and who spoke."""
    untuned = project.trained("", variants.UNTUNED).folder
    data = [project.manifest, project.splits]
    return [*data, project.all_tuned, project.trained("").folder, untuned]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the table."""
    return [project.tuning_gain]


def run(params: Params, project: Project) -> None:
    """Set every tuned cell beside the same cell with the constants."""
    found = []
    for name, cell in params.tuning.cells.items():
        folds = tuned.read(project.tuned(cell.feature), cell.model, cell.loss)
        folders = (project.trained(name), project.trained(name, variants.UNTUNED))
        for folder in folders:
            cells.require_data(folder, project)
        frames = [predictions.read(folder.predictions) for folder in folders]
        num_trials = max(fold.num_trials for fold in folds.values())
        found.append(TunedAndUntuned(cell.model, cell.loss, num_trials, *frames))
    speaker_of = {u.id: u.speaker for u in manifest.read(project.manifest)}
    gains = tuning_gain.table(found, speaker_of)
    tables.write_csv(project.tuning_gain, gains)
    for sentence in tuning_gain.sentences(gains):
        logger.info("%s", sentence)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
