"""The comparison of a corpus without classes: cells that rate, on a page of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ser import files, predictions, tables
from ser.cell_folders import CellFolder
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.evaluation import (
    breakdown,
    calibration,
    mistakes,
    published,
    rating_comparison,
    rating_summary,
    slices,
    soft_table,
)
from ser.evaluation.rating_summary import RatingSummary
from ser.evaluation.summary import read_origin
from ser.figures import intervals, learning_curves, ratings, style
from ser.grid import procedure
from ser.grid.params import Cell, CellParams
from ser.grid.procedure import Procedure
from ser.project import Project
from ser.report import answer, plots, results, tested_sentences, tuning, tuning_page
from ser.report import page as pages
from ser.report.footer import SYNTHETIC_NOTICE, footer_of
from ser.tracking import cells
from ser.tracking.cells import CellRecord
from ser.utterance import Utterance

#: What is shown of the page by classes and has no meaning without them, for the page.
ABSENT = (
    "confusion",
    "recalls",
    "calibration",
    "embeddings",
    "surest mistakes",
    "robustness",
    "published numbers",
)
NO_METHODS = "The paragraph of methods is written for corpora with classes only."


@dataclass(frozen=True, slots=True)
class RatedCell:
    """A scored cell that rates, read.

    Args:
        name: `<model>-<loss>`.
        record: Its runs.
        frame: Its predictions.
        summary: Its scores.
        figures: Caption -> PNG.
    """

    name: str
    record: CellRecord
    frame: pd.DataFrame
    summary: RatingSummary
    figures: Mapping[str, Path]

    @property
    def params(self) -> Mapping[str, Any]:
        """As parsed, nested."""
        return self.record.cell.spec.params


@dataclass(frozen=True, slots=True)
class RatingReport:
    """Everything on the page.

    Args:
        card, split: The corpus card and the split report.
        dimensions: Those that are rated.
        grid: See `rating_comparison.table`.
        baselines: `reports/baselines.csv`.
        pairs: See `rating_comparison.pairs_table`.
        slices: Of the best cell, see `rating_comparison.slices_table`.
        figure: The intervals, PNG.
        cells: In the grid's order.
        provenance: Name -> value.
        costs: None: what folds cost is measured in UAR.
        sentences: Fold -> those that it tests, see `ser.report.tested_sentences`.
    """

    card: CorpusCard
    split: SplitReport
    dimensions: Sequence[str]
    grid: pd.DataFrame
    baselines: pd.DataFrame
    pairs: pd.DataFrame
    slices: pd.DataFrame
    figure: Path
    cells: Sequence[RatedCell]
    provenance: Mapping[str, str]
    costs: tuple[()] = ()
    sentences: Mapping[int, Sequence[str]] = field(default_factory=dict)


def write(project: Project, named: Mapping[str, CellParams], open_: Callable[..., Any]) -> None:
    """Set the scored cells side by side, in tables, figures and on a page.

    Args:
        project: The checkout; the stages before have run.
        named: The cells by name.
        open_: Opens an experiment of the tracker, see `ser.tracking.cells.restore`.

    Raises:
        FileError: Something that is read is missing or damaged.
        TrackingError: The tracking store cannot be used.
    """
    card, split = CorpusCard.read(project.corpus_card), SplitReport.read(project.split_report)
    utterances = manifest.read(project.manifest)
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    footer = footer_of(card, split)
    read = {
        (cell.model, cell.loss): _read(name, project, speaker_of, footer)
        for name, cell in named.items()
    }
    for cell in read.values():
        cells.add_figures(project.trained(cell.name), project.cell_figures(cell.name), open_)
    report = _report(project, read, utterances, card, split)
    _write_tables(project, read, report, utterances)
    plots.write(
        project,
        {name: project.run(name) for name in named},
        {found.name: found.frame for found in read.values()},
    )
    files.write_text(project.page, render(report))
    tuning_page.write(project, tuning.read(project, {}), card, split)
    results.track(project, report.cells[0].record, open_)


def _read(name: str, project: Project, speaker_of: Mapping[str, str], footer: str) -> RatedCell:
    """Read a scored cell and draw its figures."""
    folder: CellFolder = project.run(name)
    record, frame = cells.read(folder), predictions.read(folder.predictions)
    origin = read_origin(folder.metrics)
    summary = rating_summary.summarise(frame, speaker_of, origin=origin)
    place, dimensions = project.cell_figures(name).folder, summary.moments.dimensions
    said = Procedure.of_params(record.cell.spec.params)
    labels = {"title": name, "footer": footer + procedure.line({name: said})}
    test = frame[frame["part"] == "test"]
    drawn = {
        "Ratings, test parts of all folds": style.save(
            ratings.scatter(test, dimensions, **labels), place / "ratings"
        ),
        "Learning curves of every fold": style.save(
            learning_curves.learning_curves(tables.read_csv(folder.history), **labels),
            place / "learning_curves",
        ),
    }
    return RatedCell(name, record, frame, summary, drawn)


def _report(
    project: Project,
    read: Mapping[Cell, RatedCell],
    utterances: Sequence[Utterance],
    card: CorpusCard,
    split: SplitReport,
) -> RatingReport:
    summaries = {cell: found.summary for cell, found in read.items()}
    grid, baselines = rating_comparison.table(summaries), tables.read_csv(project.baselines)
    order = [(str(row["model"]), str(row["loss"])) for row in grid.to_dict("records")]
    best = read[order[0]]
    title = "Mean CCC of every cell and of the baselines"
    drawn = intervals.grid_intervals(
        grid, baselines, chance=0.0, title=title, footer=footer_of(card, split), score="ccc"
    )
    return RatingReport(
        card,
        split,
        best.summary.moments.dimensions,
        grid,
        baselines,
        rating_comparison.pairs_table(summaries),
        rating_comparison.slices_table(best.frame, slices.values_of(utterances)),
        style.save(drawn, project.figures / "grid"),
        [read[cell] for cell in order],
        pages.provenance(best.record.cell.spec.tags),
        sentences=tested_sentences.by_fold(best.frame, utterances),
    )


def _write_tables(
    project: Project,
    read: Mapping[Cell, RatedCell],
    report: RatingReport,
    utterances: Sequence[Utterance],
) -> None:
    values = slices.values_of(utterances)
    sliced = [
        rating_comparison.slices_table(found.frame, values).assign(model=model, loss=loss)
        for (model, loss), found in read.items()
    ]
    columns = ["model", "loss", *rating_comparison.SLICE_COLUMNS]
    project.reports.mkdir(parents=True, exist_ok=True)
    rating_comparison.write(project, report.grid)
    tables.write_csv(project.pairs, report.pairs)
    tables.write_csv(project.slices, pd.concat(sliced, ignore_index=True)[columns])
    # Files of classes, which DVC and readers expect: they have no rows here.
    tables.write_csv(project.calibration, pd.DataFrame(columns=list(calibration.COLUMNS)))
    tables.write_csv(project.published, pd.DataFrame(columns=list(published.COLUMNS)))
    breakdown.write(
        project,
        {
            "folds": pd.DataFrame(columns=list(breakdown.FOLD_COLUMNS)),
            "speakers": pd.DataFrame(columns=list(breakdown.SPEAKER_COLUMNS)),
            "confusions": pd.DataFrame(columns=list(mistakes.CONFUSION_COLUMNS)),
        },
    )
    files.write_text(project.breakdown("methods"), f"{NO_METHODS}\n")
    tables.write_csv(project.soft, pd.DataFrame(columns=list(soft_table.COLUMNS)))
    files.write_json(project.origins, {c.name: c.summary.origin for c in read.values()})
    procedures = {cell.name: Procedure.of_params(cell.params) for cell in read.values()}
    results.write_procedures(project, procedures)


def render(report: RatingReport) -> str:
    """Return the page as HTML; styles and images are inside."""
    procedures = {cell.name: Procedure.of_params(cell.params) for cell in report.cells}
    return (
        pages.environment()
        .get_template("ratings.html.j2")
        .render(
            report=report,
            footer=footer_of(report.card, report.split),
            synthetic_notice=SYNTHETIC_NOTICE,
            notices=procedure.notices(procedures),
            absent=ABSENT,
            rows=report.grid.to_dict("records"),
            answer=answer.of(report.grid, "ccc"),
            baseline_rows=report.baselines.to_dict("records"),
            pair_rows=report.pairs.to_dict("records"),
            slice_rows=report.slices.to_dict("records"),
            unstated=pages.unstated(report.slices),
            origins={
                c.name: "; ".join([c.summary.origin, *procedures[c.name].remarks])
                for c in report.cells
            },
        )
    )
