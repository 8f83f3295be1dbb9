"""A trained cell with its scores: what its predictions say, beside what training left."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd

from ser import concordance, files, predictions
from ser.cell_folders import CellFolder
from ser.contracts import Experiment
from ser.cross_folders import CorpusFolder
from ser.data import manifest
from ser.data.votes import Votes
from ser.evaluation import rating_summary, robustness, soft, summary
from ser.evaluation.rating_summary import RatingSummary
from ser.evaluation.summary import CellSummary
from ser.grid import crossings, variants
from ser.project import Project
from ser.tracking import cells
from ser.tracking.cells import CellRecord
from ser.training.saved_fold import SavedFold

logger = logging.getLogger(__name__)

#: The scores of a cell, or of one of a corpus without classes.
Summary = CellSummary | RatingSummary


def score(
    trained: CellFolder, speaker_of: Mapping[str, str], votes: Votes | None = None
) -> tuple[Summary, CellRecord]:
    """Return a cell's scores, and the record of its runs with the scores of each.

    Args:
        trained: The folder that training left.
        speaker_of: Utterance id -> speaker.
        votes: The raters', of a corpus that has them.

    Returns:
        The scores pooled over folds and averaged over seeds; the record, in which each fold
        under a seed has the scores of its own test part.

    Raises:
        FileError: The folder lacks a file.
    """
    record = cells.read(trained)
    frame = predictions.read(trained.predictions)
    first = SavedFold(trained.folds()[0].folder)
    origin = first.read_facts().origin
    scores: Summary
    if has_classes(frame):
        scores = summary.summarise(frame, speaker_of, origin=origin, votes=votes)
    else:
        scores = rating_summary.summarise(frame, speaker_of, origin=origin)
    test = frame[frame["part"] == "test"]
    rows_of = dict(list(test.groupby(["fold", "seed"])))
    scored = tuple(
        replace(run, scores=fold_scores(run.spec.name, rows_of[run.fold, run.seed], votes))
        for run in record.folds
    )
    by_copy = robustness.read(trained)
    cell = replace(
        record.cell,
        scores=scores.as_metrics() | (robustness.as_metrics(by_copy) if by_copy else {}),
        score_artifacts=((trained.metrics.name, ""),),
    )
    return scores, replace(record, cell=cell, folds=scored)


def has_classes(frame: pd.DataFrame) -> bool:
    """Return whether predictions are of classes, and not of ratings alone."""
    return bool(predictions.emotions_of(frame))


def fold_scores(name: str, test: pd.DataFrame, votes: Votes | None = None) -> dict[str, float]:
    """Return the tracking keys of one test part under one seed, e.g. `test/uar`.

    Args:
        name: Of the run, for the log.
        test: Its predictions.
        votes: The raters', of a corpus that has them.

    Returns:
        Key -> value; where nobody speaks one of the emotions only what needs no class.
    """
    ratings = predictions.rating_scores(test)
    values = {f"test/{key}": value for key, value in ratings.items()}
    if not has_classes(test):
        return values | {"test/ccc": concordance.mean_ccc(ratings)}
    if votes is not None and soft.has_votes(test, votes):
        (of_votes,) = soft.of_predictions(test, votes).by_seed
        values |= {f"test/{key}": value for key, value in of_votes.items()}
    absent = sorted(set(predictions.emotions_of(test)) - set(test["truth"]))
    if absent:
        # Averages over a class that nobody spoke are no numbers; the cell's scores
        # pool all folds and do not need them.
        logger.warning(
            "%s: its test part has no utterance of %s, so it has no scores of its own",
            name,
            ", ".join(absent),
        )
        return values
    return values | predictions.score(test).as_metrics("test")


def write(trained: CellFolder, scored: CellFolder, scores: Summary, record: CellRecord) -> None:
    """Write the folder of a scored cell: all that training left, and the scores.

    Args:
        trained: The folder that training left.
        scored: `runs/<model>-<loss>`, replaced as a whole.
        scores: As from `score`.
        record: As from `score`.
    """
    with files.replacing_folder(scored.folder) as part:
        folder = CellFolder(part)
        files.link_tree(trained.folder, part)
        # A second name of training's record must not be written through.
        folder.record.unlink()
        cells.write(folder, record)
        files.write_json(folder.metrics, scores.to_json())


def publish(
    trained: CellFolder,
    scored: CellFolder,
    speaker_of: Mapping[str, str],
    open_: Callable[..., Experiment],
    votes: Votes | None = None,
) -> Summary:
    """Score a trained cell, write its folder, and bring the tracker to what that says.

    Args:
        trained: The folder that training left.
        scored: The folder of the scored cell, replaced as a whole.
        speaker_of: Utterance id -> speaker.
        open_: Opens an experiment, see `ser.tracking.cells.restore`.
        votes: The raters', of a corpus that has them.

    Raises:
        FileError: The folder lacks a file.
        TrackingError: The tracking store cannot be used.
    """
    scores, record = score(trained, speaker_of, votes)
    write(trained, scored, scores, record)
    cells.restore(scored, open_, trained=trained)
    return scores


def publish_crossing(
    cell: str, folder: CorpusFolder, project: Project, open_: Callable[..., Experiment]
) -> Summary:
    """Score a cell that was trained on one corpus and tested on another; tell the tracker.

    Args:
        cell: `<model>-<loss>`.
        folder: What training left of it; its name is that of the pair of corpora.
        project: The checkout.
        open_: See `publish`.

    Raises:
        FileError, ManifestError: What training left is incomplete or damaged.
        TrackingError: The tracking store cannot be used.
    """
    speaker_of = {u.id: u.speaker for u in manifest.read(folder.manifest)}
    scored = project.scored(cell, f"{variants.CROSS_CORPUS}/{folder.folder.name}")
    return publish(crossings.trained(folder, cell), scored, speaker_of, open_)
