"""Stage compare: scored cells, recordings -> reports/: tables, figures, page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import components, cross_folders, stage_program
from ser.contracts import Corpus
from ser.engine import local
from ser.grid import variants
from ser.grid.params import CellParams, CrossCorpusParams, RobustnessParams
from ser.params import StageParams, component
from ser.project import Project, Words
from ser.report import comparison, cross_corpus
from ser.tracking import cells, mlflow_tracker
from ser.tuning.params import TuningParams
from ser.workflow import current_tables


class Params(StageParams):
    """Sections read: corpus, cells, cross_corpus, robustness, tuning."""

    corpus: component(components.CORPORA)  # type: ignore[valid-type]
    cells: Mapping[str, CellParams]
    cross_corpus: CrossCorpusParams = CrossCorpusParams()
    robustness: RobustnessParams = RobustnessParams()
    tuning: TuningParams = TuningParams()


#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.CORPORA: "corpus.name"}


def reads(project: Project, words: Words) -> list[Path]:
    """Return the cells, the reference rows, what was found out, who spoke, and how it sounds."""
    return [
        project.raw(words["corpus.name"]),
        project.manifest,
        project.splits,
        project.corpus_card,
        project.split_report,
        project.protocol_gaps,
        project.all_tuned,
        project.trained("").folder,
        project.trained("", variants.UNTUNED).folder,
        project.trained("", variants.WITHOUT_COPIES).folder,
        cross_folders.trained(project, "").folder,
        project.runs,
        project.baselines,
        project.functional_rows,
        project.shortcut,
        project.tuning_gain,
        project.robustness,
        project.copies_gain,
        project.tuning_figures(),
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return tables, figures and the page."""
    return [
        project.calibration,
        cross_folders.table(project),
        project.grid,
        project.pairs,
        project.published,
        project.slices,
        *map(project.breakdown, ("best", "folds", "speakers", "confusions", "methods")),
        project.soft,
        project.figures,
        project.page,
        project.tuning_page,
        *map(project.for_dvc, ("metrics", "curves", "decisions")),
        project.origins,
        project.procedures,
    ]


def run(params: Params, project: Project) -> None:
    """Set the cells of the grid side by side."""
    name, parser = params.corpus.name, params.corpus.parser_name
    corpus: Corpus = components.load(components.CORPORA, parser).build(params.corpus)
    beside = {
        variants.UNTUNED: params.tuning.cells,
        variants.WITHOUT_COPIES: params.robustness.without_copies,
    }
    for cell in params.cells:
        cells.require_data(project.run(cell), project)
    current_tables.require_tables(project)
    cross_corpus.write(project, params.cross_corpus, params.tuning.cells)
    num_cells = len(params.cells) + sum(map(len, beside.values()))
    # Its processes import what draws while this one computes what is drawn.
    with local.sized(num_cells, at_least=8, imports=[comparison.__name__]) as engine:
        comparison.write(
            project,
            params.cells,
            beside,
            mlflow_tracker.open_experiment,
            # The one place where recordings may enter the page, and with it MLflow and DVC's cache.
            recordings=project.raw(name) if corpus.redistributable else None,
            engine=engine,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
