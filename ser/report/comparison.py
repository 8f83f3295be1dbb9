"""The comparison of all cells: from their scores to tables, figures and the page."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ser import files, predictions, tables
from ser.cell_folders import CellFolder
from ser.contracts import Engine, RunSpec
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import LineageError
from ser.evaluation import breakdown, evidence, grid_table, mistakes, protocol_cost, summary
from ser.evaluation.summary import CellSummary
from ser.grid import procedure, variants
from ser.grid.params import Cell, CellParams
from ser.grid.procedure import Procedure
from ser.project import Project
from ser.report import (
    cross_corpus,
    methods,
    pictures,
    plots,
    rating_report,
    results,
    tested_sentences,
    tuning_page,
)
from ser.report import mistakes as mistakes_section
from ser.report import page as pages
from ser.report import robustness as robustness_section
from ser.report import tuning as tuning_section
from ser.report.footer import footer_of
from ser.report.functional_rows import FunctionalRows
from ser.report.page import CellSection, Report
from ser.tracking import cells
from ser.tracking.cells import CellRecord
from ser.utterance import Utterance


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

    @property
    def procedure(self) -> Procedure:
        """How it was trained, as far as it belongs beside its scores."""
        return Procedure.of_params(self.record.cell.spec.params)

    @property
    def tags(self) -> Mapping[str, str]:
        """The `ser.*` tags of its run."""
        return self.record.cell.spec.tags


def read_cell(folder: CellFolder, speaker_of: Mapping[str, str]) -> ScoredCell:
    """Return a scored cell; its scores follow from its predictions."""
    _require([folder.record, folder.predictions, folder.metrics, folder.lineage])
    frame = predictions.read(folder.predictions)
    origin = summary.read_origin(folder.metrics)
    scores = summary.summarise(frame, speaker_of, origin=origin)
    return ScoredCell(folder, cells.read(folder), frame, scores)


def write(
    project: Project,
    named: Mapping[str, CellParams],
    beside: Mapping[str, Iterable[str]],
    open_: Callable[..., Any],
    *,
    recordings: Path | None,
    engine: Engine[pictures.Drawing],
) -> None:
    """Set the scored cells side by side, in tables, figures and on a page.

    Args:
        project: The checkout; the stages before have run.
        named: The cells by name.
        beside: Variant (`ser.grid.variants`) -> names of those that were trained so as well.
        open_: Opens an experiment of the tracker, see `ser.tracking.cells.restore`.
        recordings: Folder of the recordings; None where they must not be on the page.
        engine: Where figures are drawn.

    Raises:
        FileError, LineageError: Something that is read is missing or damaged.
        TrackingError: The tracking store cannot be used.
    """
    _require([project.baselines, project.tuning_gain, project.robustness, project.copies_gain])
    card = CorpusCard.read(project.corpus_card)
    if card.emotions:
        _write(project, named, beside, open_, card, recordings=recordings, engine=engine)
    else:
        rating_report.write(project, named, open_)


def _write(
    project: Project,
    named: Mapping[str, CellParams],
    beside: Mapping[str, Iterable[str]],
    open_: Callable[..., Any],
    card: CorpusCard,
    *,
    recordings: Path | None,
    engine: Engine[pictures.Drawing],
) -> None:
    """Do what `write` says, for a corpus with classes."""
    split = SplitReport.read(project.split_report)
    functionals = FunctionalRows.read(project.functional_rows)
    tuning = tuning_section.read(project, {name: cell.feature for name, cell in named.items()})
    utterances = manifest.read(project.manifest)
    shortcut = _shortcut(project, utterances)
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    scored: dict[Cell, ScoredCell] = {
        (cell.model, cell.loss): read_cell(project.run(name), speaker_of)
        for name, cell in named.items()
    }
    frames = {cell: found.frame for cell, found in scored.items()}
    summaries = {cell: found.summary for cell, found in scored.items()}
    folders = {cell: found.folder for cell, found in scored.items()}
    grid, baselines = grid_table.table(summaries), tables.read_csv(project.baselines)
    found = evidence.gather(frames, summaries, grid, utterances, card=card, split=split)
    project.reports.mkdir(parents=True, exist_ok=True)
    grid_table.write(project, grid)
    evidence.write(project, found)
    results.write_origins(project, summaries)
    procedures = {"-".join(cell): found.procedure for cell, found in scored.items()}
    results.write_procedures(project, procedures)
    cells_of = {"": named, **beside}
    drawn_cells = [(name, variant) for variant, names in cells_of.items() for name in names]
    foot = footer_of(card, split)
    of_models = pictures.of_models(project.figures, folders, grid, card, split)
    of_cells = [partial(_draw_cell, project, open_, foot, cell) for cell in drawn_cells]
    pictures.run([*of_models.drawings, *of_cells], engine)
    drawn = pictures.draw(project.figures, folders, grid, baselines, found, card, split)
    order = list(zip(grid["model"], grid["loss"], strict=True))
    footer = foot + procedure.line(procedures)
    changed = robustness_section.section(
        project, named, order, chance=1 / len(card.emotions), footer=footer
    )
    sections = [_section(scored[cell], project) for cell in order]
    best = scored[order[0]]
    wrong = mistakes_section.section(
        best.folder.folder.name, mistakes.find(best.frame, utterances), recordings
    )
    parts = _breakdown(project, frames, speaker_of)
    said = methods.paragraph(
        card,
        split,
        grid,
        sections,
        tuning,
        tags=best.tags,
    )
    page = Report(
        card,
        split,
        grid,
        baselines,
        functionals,
        shortcut,
        found,
        drawn,
        of_models.calibration,
        of_models.embeddings,
        sections,
        pages.provenance(best.tags),
        tuning,
        wrong,
        changed,
        parts,
        said,
        protocol_cost.of_split(
            project.protocol_gaps, split, _untuned(project, named, beside.get(variants.UNTUNED, ()))
        ),
        cross_corpus.read(project),
        tested_sentences.by_fold(best.frame, utterances),
    )
    files.write_text(project.breakdown("methods"), f"{said}\n")
    files.write_text(project.page, pages.render(page))
    tuning_page.write(project, tuning, card, split)
    results.track(project, best.record, open_)


def _shortcut(project: Project, utterances: Iterable[Utterance]) -> dict[str, Any] | None:
    """Return what is known of the shortcut; None where one kind of speech leaves none."""
    kinds = {utterance.scripted for utterance in utterances if utterance.emotion is not None}
    found = files.read_object(project.shortcut)
    return found if kinds >= {True, False} else None


def _untuned(project: Project, named: Iterable[str], tuned: Iterable[str]) -> dict[str, RunSpec]:
    """Return name -> the run of each cell with the values of params.yaml."""
    is_tuned = set(tuned)
    folders = {
        name: project.trained(name, variants.UNTUNED) if name in is_tuned else project.run(name)
        for name in named
    }
    return {name: cells.read(folder).cell.spec for name, folder in folders.items()}


def _breakdown(
    project: Project, frames: Mapping[Cell, pd.DataFrame], speaker_of: Mapping[str, str]
) -> dict[str, pd.DataFrame]:
    """Return the scores by fold, speaker and pair of emotions; write them and the plots' data."""
    found = {
        "folds": breakdown.by_fold(frames),
        "speakers": breakdown.by_speaker(frames, speaker_of),
        "confusions": mistakes.pairs_table(frames),
    }
    breakdown.write(project, found)
    named = {"-".join(cell): frame for cell, frame in frames.items()}
    plots.write(project, {name: project.run(name) for name in named}, named)
    return found


def _draw_cell(
    project: Project, open_: Callable[..., Any], footer: str, variant: tuple[str, str]
) -> None:
    """Draw a cell's own figures, and keep them with its runs."""
    figures, cell = project.cell_figures(*variant), project.trained(*variant)
    pictures.draw_cell(figures, cell, footer=footer)
    cells.add_figures(cell, figures, open_)


def _section(cell: ScoredCell, project: Project) -> CellSection:
    name = cell.folder.folder.name
    shown = pages.pictures(project.cell_figures(name).folder)
    return CellSection(name, cell.summary, cell.record.cell.spec.params, shown)


def _require(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise LineageError(f"{path}: no such file; `dvc repro` makes it")
