"""Stage compare: scored cells -> reports/: tables, figures, page; figures for the tracker."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ser import files, lineage, predictions, runtime
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import LineageError
from ser.evaluation import evidence, grid_table, scored_cell, summary
from ser.evaluation.comparison import Cell
from ser.evaluation.summary import CellSummary
from ser.figures import style
from ser.grid.params import CellParams
from ser.params import StageParams, read
from ser.project import CellFolder, Project, Words
from ser.report import page as pages
from ser.report import pictures, results
from ser.report import tuning as tuning_section
from ser.report.page import CellSection, Report
from ser.tracking import cells, mlflow_tracker
from ser.tracking.cells import CellRecord
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
        project.shortcut,
        project.tuning_gain,
        project.tuning_figures,
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return tables, figures and the page."""
    tables = ("calibration.csv", "grid.csv", "pairs.csv", "published.csv", "slices.csv")
    others = ("figures", "index.html", "metrics.json", "origins.json")
    return [project.reports / name for name in (*tables, *others)]


@dataclass(frozen=True, slots=True)
class ScoredCell:
    """A scored cell, read.

    Args:
        folder: Where it lies.
        record: Its runs.
        frame: Its predictions.
        summary: Its scores.
    """

    folder: CellFolder
    record: CellRecord
    frame: pd.DataFrame
    summary: CellSummary


def read_cell(folder: CellFolder, speaker_of: Mapping[str, str]) -> ScoredCell:
    """Return a scored cell; its scores follow from its predictions."""
    _require([folder.record, folder.predictions, folder.metrics, folder.lineage])
    frame = predictions.read(folder.predictions)
    origin = summary.read_origin(folder.metrics)
    scores = summary.summarise(frame, speaker_of, origin=origin)
    return ScoredCell(folder, cells.read(folder), frame, scores)


def run(params: Params, project: Project) -> None:
    """Set the cells of the grid side by side, in tables, figures and on a page."""
    _require([project.baselines, project.tuning_gain])
    card = CorpusCard.read(project.corpus_card)
    split = SplitReport.read(project.split_report)
    shortcut = files.read_object(project.shortcut)
    tuning = tuning_section.read(project.tuning_gain, project.tuned, project.tuning_figures)
    utterances = manifest.read(project.manifest)
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    scored: dict[Cell, ScoredCell] = {
        (cell.model, cell.loss): read_cell(project.run(name), speaker_of)
        for name, cell in params.cells.items()
    }
    frames = {cell: found.frame for cell, found in scored.items()}
    summaries = {cell: found.summary for cell, found in scored.items()}
    folders = {cell: found.folder for cell, found in scored.items()}
    grid, baselines = grid_table.table(summaries), pd.read_csv(project.baselines)
    found = evidence.gather(frames, summaries, grid, utterances, card=card, split=split)
    project.reports.mkdir(parents=True, exist_ok=True)
    grid_table.write(project.reports, grid)
    evidence.write(project.reports, found)
    results.write_origins(project.reports, summaries)
    drawn = pictures.draw(project.figures, folders, grid, baselines, found, card, split)
    _draw_cells(params, project, speaker_of, footer=style.footer(card, split))
    order = list(zip(grid["model"], grid["loss"], strict=True))
    sections = [_section(scored[cell], project) for cell in order]
    best = scored[order[0]]
    environment = lineage.Record.read(best.folder.lineage).environment
    provenance = pages.provenance(best.record.cell.spec.tags, environment)
    page = Report(
        card, split, grid, baselines, shortcut, found, *drawn, sections, provenance, tuning
    )
    project.page.write_text(pages.render(page), encoding="utf-8")
    results.track(project.reports, best.record, mlflow_tracker.open_experiment)


def _draw_cells(
    params: Params, project: Project, speaker_of: Mapping[str, str], *, footer: str
) -> None:
    """Draw each cell's own figures, and keep them with its runs."""
    variants = [("", params.cells), ("untuned", params.tuning.cells)]
    for name, variant in [(name, variant) for variant, names in variants for name in names]:
        figures, cell = project.cell_figures(name, variant), project.trained(name, variant)
        scores, _ = scored_cell.score(cell, speaker_of)
        pictures.draw_cell(figures, cell, scores, footer=footer)
        cells.add_figures(cell, figures, mlflow_tracker.open_experiment)


def _section(cell: ScoredCell, project: Project) -> CellSection:
    name = cell.folder.folder.name
    shown = pages.pictures(project.cell_figures(name).folder)
    return CellSection(name, cell.summary, cell.record.cell.spec.params, shown)


def _require(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise LineageError(f"{path}: no such file; `dvc repro` makes it")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: run(read(options.params, Params), Project()))


if __name__ == "__main__":
    raise SystemExit(main())
