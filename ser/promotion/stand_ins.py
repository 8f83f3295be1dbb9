"""Weights of the other folds, asked in place of a challenger about what it was trained on.

A refit was trained on every utterance, and a fold's weights on those of all test parts but its
own. About an utterance only weights may be asked that were not trained on it, and the folds of
the cell have such weights for all of them: made by the same procedure, each on other speakers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ser.errors import BundleError, FileError
from ser.project import Project
from ser.registry import bundle as bundles
from ser.registry import packing
from ser.registry.bundle import Bundle, ServingParams
from ser.registry.packing import TrainedCell
from ser.registry.version import Version
from ser.serving import mlflow_model
from ser.tracking.cells import RunRecord


@dataclass(frozen=True, slots=True)
class StandIn:
    """The kept weights of a fold.

    Args:
        cell: Whose.
        record: The fold's run, under the seed whose weights are asked.
    """

    cell: TrainedCell
    record: RunRecord

    @property
    def fold(self) -> int:
        """Of the weights."""
        return int(self.record.fold or 0)

    @property
    def test(self) -> pd.DataFrame:
        """Predictions of the fold's test part, which the weights were not trained on."""
        frame = self.cell.frame
        is_its_own = (frame["fold"] == self.fold) & (frame["seed"] == self.record.seed)
        return frame[is_its_own & (frame["part"] == "test")]

    def save(self, like: Bundle, folder: Path) -> Path:
        """Write it as a model that answers as the challenger does.

        Args:
            like: The challenger's bundle.
            folder: Where; not there yet.

        Returns:
            The folder of the model.

        Raises:
            BundleError, WeightsError: It cannot be packed; see `ser.registry.bundle.write`.
        """
        answering, hearing = like.answering, like.hearing
        # What is refused decides which windows of a long recording are answered.
        params = ServingParams(
            window_s=answering.window_s,
            overlap=answering.overlap,
            min_speech_share=0.0 if hearing is None else hearing.min_speech_share,
            false_alarm_rate=0.0 if hearing is None else hearing.min_familiarity,
        )
        source = packing.source_of_fold(
            self.cell, self.record, params=params, limits=answering.limits, is_monitored=False
        )
        # With its checkpoint: the process that asks it works in another folder.
        bundle = bundles.write(source, folder / "bundle", embed_checkpoint=True)
        mlflow_model.save(folder / "bundle", bundle, folder / "model", root=self.cell.project.root)
        return folder / "model"


def of(version: Version, project: Project) -> Iterator[StandIn]:
    """Yield the folds of a version's cell that still have their weights, without its own.

    None where the workspace no longer holds the cell that the version was registered from.

    Args:
        version: The challenger.
        project: Where trained cells are.

    Raises:
        FileError: A record of the cell is damaged.
    """
    cell = TrainedCell(project, version.tags["ser.cell"])
    if not cell.folder.is_dir() or _run_key(cell) != version.tags["ser.cell_run_key"]:
        return
    for fold in dict.fromkeys(record.fold for record in cell.record.folds):
        if str(fold) != version.tags["ser.fold"]:
            try:
                yield StandIn(cell, packing.choose(cell, fold=fold))
            except BundleError:
                continue  # training.keep_weights kept none of this fold


def _run_key(cell: TrainedCell) -> str | None:
    try:
        return cell.record.cell.spec.run_key
    except FileError:
        return None
