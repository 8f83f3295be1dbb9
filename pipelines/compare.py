"""Stage compare: scored cells -> reports/: tables, figures, page; figures for the tracker."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import stage_program
from ser.grid.params import CellParams
from ser.params import StageParams
from ser.project import Project, Words
from ser.report import comparison
from ser.tracking import mlflow_tracker
from ser.tuning.params import TuningParams


class Params(StageParams):
    """Sections read: cells, tuning."""

    cells: Mapping[str, CellParams]
    tuning: TuningParams = TuningParams()


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the cells, the reference rows, what tuning brought, and who spoke."""
    return [
        project.manifest,
        project.corpus_card,
        project.split_report,
        project.tuned,
        project.all_trained,
        project.untuned,
        project.runs,
        project.baselines,
        project.functional_rows,
        project.shortcut,
        project.tuning_gain,
        project.tuning_figures,
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return tables, figures and the page."""
    return [
        project.calibration,
        project.grid,
        project.pairs,
        project.published,
        project.slices,
        project.figures,
        project.page,
        project.grid_metrics,
        project.origins,
        project.procedures,
    ]


def run(params: Params, project: Project) -> None:
    """Set the cells of the grid side by side."""
    comparison.write(project, params.cells, params.tuning.cells, mlflow_tracker.open_experiment)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
