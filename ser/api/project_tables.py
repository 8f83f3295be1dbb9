"""What a finished project says, as tables: predictions of a cell, folds of the corpus."""

from os import PathLike
from pathlib import Path

import pandas as pd

from ser import predictions
from ser.data import manifest, splits
from ser.data.protocols import PARTS
from ser.errors import FileError
from ser.params import read
from ser.project import Project
from ser.workflow import current, current_cell


def read_predictions(cell: str, *, root: str | PathLike[str] = ".") -> pd.DataFrame:
    """Read what a trained cell predicted, from `runs/<cell>/predictions.parquet`.

    Args:
        cell: `<model>-<loss>`, e.g. `whisper-cross_entropy`.
        root: The project's root.

    Returns:
        One row per utterance, fold, seed and part: `utterance_id, fold, seed` (whole numbers)`,
        part` (`dev` or `test`)`, truth, prediction` (emotions)`, probability_<emotion>` (in [0, 1],
        in the order of the classes, before the temperature). Of a model that rates also `valence,
        arousal, dominance` and `predicted_valence` and so on, in points from 1 to 5, NaN where
        nobody rated; without classes there are no columns of emotions.

    Raises:
        FileError: There is no such cell, or a file is missing or damaged.
        LineageError: Cell, data, params.yaml and source do not belong together.
    """
    project = _current(Path(root))
    folder = project.run(cell)
    if not folder.record.is_file():
        known = ", ".join(one.folder.name for one in project.scored_cells()) or "none"
        raise FileError(f"{folder.folder}: no such cell; there are: {known}")
    current_cell.require_cell(project, folder, read(project.params, current_cell.CellsNow))
    return predictions.read(folder.predictions)


def read_folds(*, root: str | PathLike[str] = ".") -> pd.DataFrame:
    """Read the folds of the corpus with what is known of each utterance.

    Args:
        root: The project's root.

    Returns:
        One row per fold, part and utterance: `fold` (whole number)`, part` (`train`, `dev`,
        `test`)`, utterance_id, speaker, gender` and `session` (null where unknown)`, emotion,
        duration_s` (seconds)`, audio` (path of the recording from the working directory)`,
        start_s` and `end_s` (seconds; null where the utterance is all of the recording).

    Raises:
        FileError, ManifestError, SplitError: A file is missing or damaged.
        LineageError: Data and params.yaml do not belong together.
    """
    project = _current(Path(root))
    rows = [
        (fold.number, part, utterance)
        for fold in splits.read(project.splits)
        for part in PARTS
        for utterance in fold.part(part)
    ]
    table = pd.DataFrame(rows, columns=["fold", "part", "utterance_id"])
    table["part"] = pd.Categorical(table["part"], list(PARTS), ordered=True)
    return table.merge(_utterances(project), on="utterance_id", how="left", validate="many_to_one")


def _current(root: Path) -> Project:
    """Return a project whose data are of its params.yaml."""
    project = Project(root)
    current.require_data(project, read(project.params, current.DataParams))
    return project


def _utterances(project: Project) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "utterance_id": one.id,
            "speaker": one.speaker,
            "gender": one.gender,
            "session": one.session,
            "emotion": one.emotion,
            "duration_s": one.duration_s,
            "audio": str(project.raw(one.corpus) / one.audio),
            "start_s": one.start_s,
            "end_s": one.end_s,
        }
        for one in manifest.read(project.manifest)
    )
