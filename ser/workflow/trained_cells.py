"""The cells that are trained, with their scores: what is there before the report is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ser.contracts import Experiment
from ser.data import manifest, votes
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import SerError, TuningError
from ser.evaluation import grid_table, rating_comparison, scored_cell
from ser.evaluation.scored_cell import Summary
from ser.grid import tuned
from ser.grid.params import CellParams
from ser.project import Project
from ser.report.footer import SYNTHETIC_NOTICE, footer_of
from ser.workflow.current_cell import CellsNow, require_cell


@dataclass(frozen=True, slots=True)
class TrainedCells:
    """What is there of the cells of params.yaml.

    Args:
        scores: `<model>-<loss>` -> its scores, of those that are trained.
        other: `<model>-<loss>` -> why what is there is another cell.
        missing: Those that are not trained.
    """

    scores: Mapping[str, Summary]
    other: Mapping[str, str]
    missing: Sequence[str]


def look(project: Project, params: CellsNow) -> TrainedCells:
    """Score the cells that are there, from their predictions; nothing is written.

    Raises:
        FileError, ManifestError: The data are missing or damaged.
    """
    speaker_of = {u.id: u.speaker for u in manifest.read(project.manifest)}
    scores: dict[str, Summary] = {}
    other: dict[str, str] = {}
    missing = []
    for name in params.cells:
        cell = project.trained(name)
        if not cell.record.is_file():
            missing.append(name)
            continue
        try:
            require_cell(project, cell, params)
            scores[name], _ = scored_cell.score(cell, speaker_of)
        except SerError as error:
            other[name] = str(error)
    return TrainedCells(scores, other, missing)


def require_tuned(project: Project, cell: CellParams) -> None:
    """Refuse to go on where params.yaml tunes a cell and nothing was chosen for it yet.

    Raises:
        FileError: There is no outcome of tuning, or it is damaged.
        TuningError: It says that the cell is not tuned.
    """
    path = project.tuned(cell.feature)
    found = tuned.read(path, cell.model, cell.loss)
    if any(fold.study is None for fold in found.values()):
        raise TuningError(
            f"{path}: {cell.model}.{cell.loss} was not tuned, and params.yaml tunes it; run "
            f"`dvc repro tune`, or take the cell out of tuning.cells"
        )


def publish(project: Project, name: str, open_: Callable[..., Experiment]) -> Summary:
    """Score a trained cell, write its folder in runs/ and tell the tracker, as `score` does.

    Args:
        project: The checkout.
        name: `<model>-<loss>`.
        open_: Opens an experiment, see `ser.tracking.cells.restore`.

    Raises:
        FileError, ManifestError: What training left, or the data, are missing or damaged.
        TrackingError: The tracking store cannot be used.
    """
    utterances = manifest.read(project.manifest)
    speaker_of = {u.id: u.speaker for u in utterances}
    said = votes.of_corpus(utterances, CorpusCard.read(project.corpus_card))
    return scored_cell.publish(project.trained(name), project.run(name), speaker_of, open_, said)


def as_text(found: TrainedCells, project: Project) -> str:
    """Return the scores for a terminal, best first, then what is not among them and why."""
    card = CorpusCard.read(project.corpus_card)
    lines = [footer_of(card, SplitReport.read(project.split_report))]
    num_cells = sum(map(len, (found.scores, found.other, found.missing)))
    lines.append(f"trained: {len(found.scores)} of {num_cells} cells of params.yaml")
    if found.scores:
        as_table = grid_table.as_text if card.emotions else rating_comparison.as_text
        headline = "uar" if card.emotions else "ccc"
        rows = [_row(name, scores) for name, scores in found.scores.items()]
        lines.append(as_table(pd.DataFrame(rows).sort_values(headline, ascending=False)))
    if found.missing:
        lines.append(f"not trained: {', '.join(found.missing)}")
    lines += [f"not shown: {why}" for why in found.other.values()]
    if card.synthetic:
        lines.append(SYNTHETIC_NOTICE)
    return "\n".join(lines)


def sentence(name: str, scores: Summary) -> str:
    """Return a cell's scores with their 95 % intervals over speakers, in one line."""
    percent = "uar" in scores.scores
    words = [
        f"{key.upper()} {_number(scores.scores[key], percent)} "
        f"({_number(scores.intervals[key].low, percent)} to "
        f"{_number(scores.intervals[key].high, percent)})"
        for key in (("uar", "wa") if percent else ("ccc", "mae"))
    ]
    unit = " %" if percent else ""
    return (
        f"{name}: test {', '.join(words)}{unit}, 95 % intervals; "
        f"{scores.num_folds} folds, {scores.num_seeds} seeds"
    )


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.1f}" if percent else f"{value:.3f}"


def _row(name: str, scores: Summary) -> dict[str, object]:
    model, _, loss = name.partition("-")
    ends = {
        f"{key}_{end}": getattr(interval, end)
        for key, interval in scores.intervals.items()
        for end in ("low", "high")
    }
    # Who is told apart from whom is asked of the whole grid, by the report.
    return {"model": model, "loss": loss, **scores.scores, **ends, "tied_with_best": False}
