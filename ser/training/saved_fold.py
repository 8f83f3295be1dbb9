"""A finished fold on disk, read without the network that made it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from ser import arrays, files, predictions
from ser.cell_folders import TrainedFold
from ser.provenance import Provenance


@dataclass(frozen=True, slots=True)
class FoldFacts:
    """What is known of a finished fold beside its tables.

    Args:
        best_epoch: The epoch whose weights were chosen, from 1.
        dev_score: Of that epoch, see `ser.training.fit.FitResult`.
        num_parameters: Numbers in the chosen weights.
        origin: Where the weights came from before training.
        layer_weights: What each frozen layer contributes, in sum 1, of a model that learns
            it; else None.
    """

    best_epoch: int
    dev_score: float
    num_parameters: int
    origin: str
    layer_weights: list[float] | None = None


@dataclass(frozen=True, slots=True)
class SavedFold(TrainedFold):
    """The content of a finished fold on disk, which is there as a whole or not at all.

    Args:
        folder: Holds weights, normalisation, predictions, embeddings, history and facts, and
            what is predicted under the copies of a feature that has some; that of a kept fold also
            where it was trained, which no cell takes over.
    """

    def is_complete(self, *, with_weights: bool = True, with_copies: bool = False) -> bool:
        """Return whether no file is missing or empty; weights may have been given up on purpose."""
        files = [self.statistics, self.predictions, self.embeddings, self.history, self.facts]
        files.append(self.provenance)
        further = [(self.weights, with_weights), (self.copies, with_copies)]
        files += [path for path, is_wanted in further if is_wanted]
        return all(path.is_file() and path.stat().st_size > 0 for path in files)

    def read_predictions(self) -> pd.DataFrame:
        """Return the predictions of dev and test."""
        return predictions.read(self.predictions)

    def read_copies(self) -> pd.DataFrame:
        """Return the predictions of test under the copies, see `ser.predictions.of_copies`."""
        return predictions.read(self.copies)

    def read_history(self) -> pd.DataFrame:
        """Return one row per epoch, with `fold` and `seed`."""
        history = files.read_json(self.history, pd.DataFrame, what="the history of a fold")
        return history.astype({"fold": int, "seed": int, "epoch": int})

    def read_embeddings(self) -> dict[str, NDArray[Any]]:
        """Return `embeddings` and `labels` of the test part, and a cosine head's `prototypes`.

        Returns:
            `(num_utterances, embedding_dim)`, class indices `(num_utterances,)`, and
            `(num_classes, embedding_dim)`.

        Raises:
            FileError: The file is missing or damaged.
        """
        return arrays.read(self.embeddings, "embeddings", "labels")

    def read_facts(self) -> FoldFacts:
        """Return what else is known of the fold.

        Raises:
            FileError: The file is missing or is not of this form.
        """
        return files.read_json(
            self.facts, lambda content: FoldFacts(**content), what="the facts of a fold"
        )

    def read_provenance(self) -> Provenance:
        """Return where a kept fold was trained.

        Raises:
            FileError: The file is missing or is not of this form.
        """
        return Provenance.read(self.provenance)
