"""Is what lies in data/, runs/ and reports/ of the corpus, classes and folds of params.yaml?

DVC makes what has changed anew, and only when it runs. Between `make use` and `dvc repro` the
results of another corpus lie there; a command that reads them has to ask first.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ser import components, files, lineage, tables
from ser.cell_folders import CellFolder
from ser.data.card import CorpusCard
from ser.data.protocols import SplitParams
from ser.data.split_report import SplitReport
from ser.errors import FileError, LineageError
from ser.params import StageParams, component
from ser.project import Project
from ser.tracking.cells import CURE
from ser.workflow.current_cell import CellsNow, differing, require_cell
from ser.workflow.current_tables import require_tables

#: Tables are written with six decimals.
_ROUNDING = 1e-6


class DataParams(StageParams):
    """Sections read: corpus, split."""

    corpus: component(components.CORPORA)  # type: ignore[valid-type]
    split: SplitParams


def require_data(project: Project, params: DataParams) -> None:
    """Refuse a manifest or folds that were made with other params than those of params.yaml.

    Args:
        project: Where they are.
        params: Of params.yaml.

    Raises:
        FileError: The corpus card or the split report is missing or damaged.
        LineageError: They are of another corpus, other classes or another protocol.
    """
    card, split = CorpusCard.read(project.corpus_card), SplitReport.read(project.split_report)
    _require_same(project.corpus_card, "corpus", card.params, params.corpus)
    _require_same(project.split_report, "split", split.params.model_dump(), params.split)
    for what, path, said in (
        ("manifest", project.manifest, split.manifest_sha256),
        ("split", project.splits, split.split_sha256),
    ):
        if _digest(path) != said:
            raise LineageError(
                f"{project.split_report}: it speaks of another {what} than {path}; {CURE}"
            )


def require_reports(project: Project, params: CellsNow) -> None:
    """Refuse a comparison of other cells than those of params.yaml, or of cells on other data.

    Args:
        project: Where they are.
        params: Of params.yaml.

    Raises:
        FileError: The comparison, or a cell's record or scores, is missing or damaged.
        LineageError: Comparison, cells, tables, data and params do not belong together.
    """
    rows = tables.read_csv(project.grid).to_dict("records")
    compared = [f"{row['model']}-{row['loss']}" for row in rows]
    if differing_names := sorted({*compared} ^ {*params.cells}):
        raise LineageError(
            f"{project.grid}: it compares other cells than `cells` in params.yaml; in one of the "
            f"two alone: {', '.join(differing_names)}; {CURE}"
        )
    for name, row in zip(compared, rows, strict=True):
        cell = project.run(name)
        require_cell(project, cell, params)
        headline = "uar" if "uar" in row else "ccc"  # the latter where there are no classes
        value = _mean(cell, headline)
        if abs(value - row[headline]) > _ROUNDING:
            raise LineageError(
                f"{project.grid}: it says a {headline.upper()} of {row[headline]:.6f} for "
                f"{name}, {cell.metrics} of {value:.6f}; {CURE}"
            )
    require_tables(project)


def _mean(cell: CellFolder, score: str) -> float:
    def mean_of(scores: Mapping[str, Any]) -> float:
        return float(scores[score]["mean"])

    return files.read_json(cell.metrics, mean_of, what="the scores of a cell")


def _digest(path: Path) -> str:
    if not path.is_file():
        raise FileError(f"{path}: no such file; {files.REPRO}")
    return lineage.sha256_file(path)


def _require_same(path: Path, section: str, made: Mapping[str, Any], said: BaseModel) -> None:
    """Refuse an artefact whose params differ from a section of params.yaml."""
    if found := list(differing(made, said)):
        raise LineageError(
            f"{path}: it was made with other params than params.yaml has now: "
            f"{'; '.join(f'{section}.{line}' for line in found)}; {CURE}"
        )
