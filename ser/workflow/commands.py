"""The command line of each stage, as dvc.yaml has it too; a test compares the two."""

import sys
from pathlib import Path

from ser.errors import ParamsError
from ser.workflow.preset import Preset


def stage(
    program: str, *words: str, params: Path | None = None, folds: Path | None = None
) -> list[str]:
    """Return the command of a stage.

    Args:
        program: Its program, e.g. `extract` of `pipelines/extract.py`.
        words: What names the work, e.g. `mfcc`.
        params: The file that is read instead of params.yaml.
        folds: The folder of splits.csv, where it is not `data`.

    Returns:
        Program and arguments; the interpreter is the one that runs this, whatever `python`
        is on the path.
    """
    options = [("--params", params), ("--folds", folds)]
    said = [word for name, path in options if path for word in (name, str(path))]
    return [sys.executable, "-m", f"pipelines.{program}", *words, *said]


def train(
    preset: Preset,
    cell: str,
    *,
    params: Path | None = None,
    folds: Path | None = None,
    is_tuned: bool = True,
) -> list[str]:
    """Return the command that trains a cell; it starts as many processes as `launcher` says.

    Args:
        preset: The content of params.yaml.
        cell: Its name.
        params: See `stage`.
        folds: See `stage`. What was tuned on other folds is not used then.
        is_tuned: Take over what tuning chose, if it did; else nothing of it is read.

    Raises:
        ParamsError: There is no such cell.
    """
    if cell not in preset.cells:
        known = ", ".join(preset.cells)
        raise ParamsError(f"there is no cell {cell!r} in params.yaml; there are: {known}")
    words = [cell] if folds is None and is_tuned else [cell, "--untuned"]
    return stage("train", *words, params=params, folds=folds)


def tune(preset: Preset, cells: list[str], workers: int | None) -> list[str]:
    """Return the command of the stage that searches, but one that only fills the storage.

    Args:
        preset: The content of params.yaml.
        cells: Some cells, or none for all.
        workers: Processes, or None for what params.yaml says.

    Raises:
        ParamsError: A cell is not tuned.
    """
    unknown = [cell for cell in cells if cell not in preset.tuning.cells]
    if unknown:
        known = ", ".join(preset.tuning.cells) or "none"
        raise ParamsError(
            f"params.yaml: tuning.cells has no {', '.join(unknown)}; there are: {known}"
        )
    options = ["--workers", str(workers)] if workers else []
    return stage("tune", *options, "--trials-only", *cells)
