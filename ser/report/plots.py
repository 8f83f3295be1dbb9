"""What `dvc plots` draws, as data: learning curves and decisions, a CSV file per cell each."""

from collections.abc import Mapping

import pandas as pd

from ser import files, tables
from ser.cell_folders import CellFolder
from ser.project import Project

CURVE_COLUMNS = ("epoch", "train_loss", "dev_loss", "dev_score")
DECISION_COLUMNS = ("truth", "prediction")


def write(
    project: Project, folders: Mapping[str, CellFolder], frames: Mapping[str, pd.DataFrame]
) -> None:
    """Replace the folders of the plots' data.

    Args:
        project: Where they are.
        folders: `<model>-<loss>` -> the cell's folder.
        frames: `<model>-<loss>` -> its predictions.

    Raises:
        FileError: A history is missing or damaged.
    """
    curves = {name: curve(tables.read_csv(cell.history)) for name, cell in folders.items()}
    made = {name: decisions(frame) for name, frame in frames.items()}
    for folder, found in (
        (project.for_dvc("curves"), curves),
        (project.for_dvc("decisions"), made),
    ):
        with files.replacing_folder(folder) as part:
            for name, table in found.items():
                tables.write_csv(part / f"{name}.csv", table)


def curve(history: pd.DataFrame) -> pd.DataFrame:
    """Return losses and dev score per epoch, mean over the folds and seeds that came so far.

    Args:
        history: `history.csv` of a cell.

    Returns:
        `CURVE_COLUMNS`; the score is dev UAR, of a cell without classes dev CCC.
    """
    score = "dev/uar" if "dev/uar" in history else "dev/ccc"
    names = {"train/loss": "train_loss", "dev/loss": "dev_loss", score: "dev_score"}
    return history.groupby("epoch")[list(names)].mean().rename(columns=names).reset_index()


def decisions(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what was spoken and what was predicted in the test parts of all folds and seeds.

    Args:
        frame: Predictions of a cell.

    Returns:
        `DECISION_COLUMNS`, a row per decision; none of a cell without classes.
    """
    test = frame[frame["part"] == "test"]
    if not set(DECISION_COLUMNS) <= set(test.columns):
        return pd.DataFrame(columns=list(DECISION_COLUMNS))
    return test[list(DECISION_COLUMNS)].reset_index(drop=True)
