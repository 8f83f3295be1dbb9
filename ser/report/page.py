"""The report: one self-contained page that opens from disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ser import lineage
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.evaluation import published
from ser.evaluation.cross_corpus import TRANSDUCTIVE
from ser.evaluation.evidence import Findings, best_losses
from ser.evaluation.protocol_cost import Measured, statement
from ser.evaluation.summary import CellSummary
from ser.grid import procedure
from ser.grid.procedure import Procedure
from ser.project import Project
from ser.report import answer, html
from ser.report.cross_corpus import Matrix
from ser.report.footer import SYNTHETIC_NOTICE, footer_of
from ser.report.functional_rows import FunctionalRows
from ser.report.mistakes import MistakesSection
from ser.report.robustness import RobustnessSection
from ser.report.tuning import Tuning
from ser.wording import first_few


@dataclass(frozen=True, slots=True)
class CellSection:
    """What the report shows of one cell.

    Args:
        name: `<model>-<loss>`.
        summary: Its scores.
        params: As parsed, nested.
        figures: Caption -> PNG file.
    """

    name: str
    summary: CellSummary
    params: Mapping[str, Any]
    figures: Mapping[str, Path]

    @property
    def procedure(self) -> Procedure:
        """How it was trained, as far as it belongs beside its scores."""
        return Procedure.of_params(self.params)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page.

    Args:
        card: The corpus card, `data/corpus.json`.
        split: The split report, `data/split_report.json`.
        grid: One row per cell, best first.
        baselines: One row per baseline outside the grid, `reports/baselines.csv`.
        functionals: Which of these rows openSMILE made, `reports/functionals.json`.
        shortcut: How well scripted speech predicts the emotions, `reports/shortcut.json`; None
            where the corpus does not hold both scripted and improvised speech.
        evidence: What predictions say beyond the grid.
        figures: `heat_map`, `grid`, and where they are known `ranks` and `layers` -> PNG.
        calibration_figures: Name of a cell -> PNG.
        embedding_figures: Model -> PNG.
        cells: One section per cell, in the grid's order.
        provenance: Name -> value: digests, versions, the command.
        tuning: What the tuned cells show.
        mistakes: The surest mistakes of the best cell.
        robustness: How cells do when recordings are changed.
        breakdown: `folds`, `speakers` and `confusions` -> one row per cell and fold, speaker or
            pair of emotions, see `ser.evaluation.breakdown` and `ser.evaluation.mistakes`.
        methods: How the scores came about, a paragraph for a paper.
        costs: What these folds cost, as far as `ser protocol-gap` has measured it on these cells.
        cross_corpus: How cells do on another corpus; empty where nobody asked.
        sentences: Fold -> those that it tests, see `ser.report.tested_sentences`.
    """

    card: CorpusCard
    split: SplitReport
    grid: pd.DataFrame
    baselines: pd.DataFrame
    functionals: FunctionalRows
    shortcut: Mapping[str, Any] | None
    evidence: Findings
    figures: Mapping[str, Path]
    calibration_figures: Mapping[str, Path]
    embedding_figures: Mapping[str, Path]
    cells: Sequence[CellSection]
    provenance: Mapping[str, str]
    tuning: Tuning
    mistakes: MistakesSection
    robustness: RobustnessSection
    breakdown: Mapping[str, pd.DataFrame]
    methods: str
    costs: Sequence[Measured] = ()
    cross_corpus: Sequence[Matrix] = ()
    sentences: Mapping[int, Sequence[str]] = field(default_factory=dict)


#: Name of a template, which is the section's anchor too -> its name in the navigation.
SECTIONS = {
    "result": "Result",
    "evidence": "Evidence",
    "baselines": "Baselines",
    "shortcut": "Shortcut",
    "calibration": "Calibration",
    "breakdown": "Folds, speakers",
    "slices": "Slices",
    "votes": "Votes",
    "robustness": "Robustness",
    "cross_corpus": "Other corpora",
    "mistakes": "Mistakes",
    "embeddings": "Embeddings",
    "tuning": "Tuning",
    "published": "Published",
    "cells": "Cells",
    "data": "Data",
    "methods": "Methods",
    "provenance": "Provenance",
}


#: Slices that a corpus may leave out: what of its speakers it need not say.
_OPTIONAL_SLICES = ("gender", "session")

#: File name in a cell's `figures/` -> caption in the report, in the order shown. The confusion
#: matrix is a table on the page.
_CAPTIONS = {
    "learning_curves": "Learning curves of every fold",
}


def pictures(folder: Path) -> dict[str, Path]:
    """Return caption -> PNG of a cell's figures, in the order they are shown."""
    return {caption: folder / f"{name}.png" for name, caption in _CAPTIONS.items()}


def provenance(tags: Mapping[str, str]) -> dict[str, str]:
    """Return what the report says about where a result came from.

    A report is the same wherever it is made, so it names no commit and no machine.

    Args:
        tags: `ser.*` tags of a cell's run.

    Returns:
        Name -> value.
    """
    cell = f"{tags['ser.model']}-{tags['ser.loss']}"
    return {
        "manifest, SHA-256": tags["ser.manifest_sha256"],
        "folds, SHA-256": tags["ser.split_sha256"],
        "features, SHA-256": tags["ser.features_sha256"],
        "training code, SHA-256": tags["ser.source_sha256"],
        "versions": versions(tags),
        "commit, machine": f"in MLflow, with the runs of {cell}; ser verify {cell} compares",
        "made by": "make repro",
    }


def versions(tags: Mapping[str, str]) -> str:
    """Return the packages whose version decides what training results in, for people."""
    # Records of before name fewer of them.
    named = {name: tags.get(f"ser.{name}") for name in sorted(lineage.DECISIVE_PACKAGES)}
    return ", ".join(f"{name} {version}" for name, version in named.items() if version)


@cache
def environment() -> jinja2.Environment:
    """Return the templates, with the filters that write numbers; each is compiled once."""
    found = html.environment()
    found.filters |= {
        "percent": lambda value: _or_dash(value, 100, ".1f"),
        "points": lambda value: _or_dash(value, 100, ".1f"),
        "number": lambda value: _or_dash(value, 1, ".2f"),
        "p": lambda value: "< 0.001" if value < 0.001 else _or_dash(value, 1, ".3f"),
        "digits": lambda value: _or_dash(value, 1, ".3g"),
        "flat": _flatten,
        "statement": statement,
        "first_few": first_few,
    }
    return found


def unstated(sliced: pd.DataFrame) -> list[str]:
    """Return which slices are absent because the corpus does not say them of its speakers."""
    return [name for name in _OPTIONAL_SLICES if name not in set(sliced["slice"])]


def sections(report: Report) -> list[tuple[str, str]]:
    """Return anchor and name of the sections that have something to say of this corpus."""
    absent = {
        "shortcut": report.shortcut is None,
        "published": not published.speaks_of(report.card, report.evidence.published),
    }
    return [(anchor, name) for anchor, name in SECTIONS.items() if not absent.get(anchor)]


def render(report: Report) -> str:
    """Return the page as HTML; styles and images are inside."""
    best = report.grid.drop_duplicates("model").to_dict("records")
    evidence, sliced = report.evidence, report.evidence.slices
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            sections=sections(report),
            of_study=published.speaks_of(report.card, evidence.published),
            footer=footer_of(report.card, report.split),
            tuning_page=Project().tuning_page.name,
            synthetic_notice=SYNTHETIC_NOTICE,
            transductive=TRANSDUCTIVE,
            rows=report.grid.to_dict("records"),
            answer=answer.of(report.grid),
            best_rows=best,
            best_losses=best_losses(report.grid, evidence.pairs),
            calibration_rows=evidence.calibration.to_dict("records"),
            gaps={f"{r['model']}-{r['loss']}": evidence.gaps(r["model"], r["loss"]) for r in best},
            slice_rows=_of_first(sliced, report.grid).to_dict("records"),
            by_fold=answer.beside(report.breakdown["folds"], "fold", report.grid),
            by_speaker=answer.beside(report.breakdown["speakers"], "speaker", report.grid),
            confused=_of_first(report.breakdown["confusions"], report.grid).to_dict("records"),
            shared_params=_shared([cell.params for cell in report.cells]),
            matrices={cell.name: _matrix(cell) for cell in report.cells},
            unstated=unstated(sliced),
            vote_rows=evidence.soft.to_dict("records"),
            published_rows=evidence.published.to_dict("records"),
            published_statement=published.statement(evidence.published),
            any_comparable=bool(evidence.published["comparable"].any()),
            human={"agreement": published.HUMAN_AGREEMENT, "source": published.HUMAN_SOURCE},
            baseline_rows=report.baselines.to_dict("records"),
            not_clear=_not_clear(report),
            origins={cell.name: _origin(cell) for cell in report.cells},
            notices=procedure.notices({cell.name: cell.procedure for cell in report.cells}),
            chance=1 / len(report.card.emotions),
        )
    )


def _of_first(table: pd.DataFrame, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the best cell."""
    first = grid.iloc[0]
    is_first = (table["model"] == first["model"]) & (table["loss"] == first["loss"])
    found: pd.DataFrame = table[is_first]
    return found


def _shared(params: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the params that all cells have alike, flat."""
    first, *others = (_flatten(one) for one in params)
    missing = object()
    return {
        key: value
        for key, value in first.items()
        if others and all(other.get(key, missing) == value for other in others)
    }


def _matrix(cell: CellSection) -> list[tuple[str, list[tuple[float, int]]]]:
    """Return emotion -> share of its utterances and count per prediction, row by row."""
    counts = cell.summary.confusion
    shares = counts / counts.sum(axis=1, keepdims=True)
    return [
        (emotion, list(zip(of_row.tolist(), row.tolist(), strict=True)))
        for emotion, of_row, row in zip(cell.summary.emotions, shares, counts, strict=True)
    ]


def _origin(cell: CellSection) -> str:
    """Return what stands below a model's name: where its weights came from, how it was trained."""
    return "; ".join([cell.summary.origin, *cell.procedure.remarks])


def _or_dash(value: float | None, factor: int, form: str) -> str:
    return "–" if value is None or pd.isna(value) else f"{factor * value:{form}}"  # noqa: RUF001


def _not_clear(report: Report) -> list[str]:
    """Return the cells whose interval reaches down to the highest UAR of the baselines."""
    highest = report.baselines["uar"].max()
    rows = report.grid.to_dict("records")
    # An interval that is unknown (NaN, one speaker) clears nothing.
    return [f"{row['model']}-{row['loss']}" for row in rows if not row["uar_low"] > highest]


def _flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
