"""Stage score: data/trained -> runs, the cells with their scores; told to the tracker."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import cross_folders, stage_program
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.data.votes import of_corpus
from ser.evaluation import scored_cell
from ser.grid import crossings, variants
from ser.grid.params import CellParams, CrossCorpusParams, RobustnessParams
from ser.params import StageParams
from ser.project import Project, Words
from ser.tracking import cells, mlflow_tracker
from ser.tuning.params import TuningParams

logger = logging.getLogger("score")


class Params(StageParams):
    """Sections read: cells, cross_corpus, robustness, tuning."""

    cells: Mapping[str, CellParams]
    cross_corpus: CrossCorpusParams = CrossCorpusParams()
    robustness: RobustnessParams = RobustnessParams()
    tuning: TuningParams = TuningParams()


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return what training left, who spoke, and what raters said."""
    return [
        project.manifest,
        project.splits,
        project.corpus_card,
        project.trained("").folder,
        project.trained("", variants.UNTUNED).folder,
        project.trained("", variants.WITHOUT_COPIES).folder,
        cross_folders.trained(project, "").folder,
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the folder of the scored cells."""
    return [project.runs]


def run(params: Params, project: Project) -> None:
    """Score every cell and those that were trained in another way as well; tell the tracker."""
    utterances = manifest.read(project.manifest)
    speaker_of = {u.id: u.speaker for u in utterances}
    votes = of_corpus(utterances, CorpusCard.read(project.corpus_card))
    names_of = {
        "": params.cells,
        variants.UNTUNED: params.tuning.cells,
        variants.WITHOUT_COPIES: params.robustness.without_copies,
    }
    open_ = mlflow_tracker.open_experiment
    for name, variant in [(name, variant) for variant, names in names_of.items() for name in names]:
        trained, scored = project.trained(name, variant), project.scored(name, variant)
        cells.require_data(trained, project)
        scores = scored_cell.publish(trained, scored, speaker_of, open_, votes).scores
        said = {key: scores[key] for key in ("uar", "ccc") if key in scores}
        for key, value in said.items():
            logger.info("%s: test %s %.3f", f"{name} {variant}".strip(), key.upper(), value)
    for crossing in crossings.of_section(params.cross_corpus, project):
        folder = cross_folders.trained(project, crossing.cell, crossing.pair)
        crossings.require_own(folder, project)
        scores = scored_cell.publish_crossing(crossing.cell, folder, project, open_).scores
        logger.info("%s %s: test UAR %.1f %%", crossing.cell, crossing.pair, 100 * scores["uar"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
