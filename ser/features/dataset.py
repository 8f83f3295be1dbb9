"""From stored frames to batches: labels, the fold's normalisation, padding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch.utils.data import Dataset

from ser import arrays
from ser.batch import Batch
from ser.errors import FileError
from ser.features.drawn_copies import DrawnCopies
from ser.features.store import FeatureStore


@dataclass(frozen=True, slots=True)
class Statistics:
    """Normalisation of a fold, fitted on its train part and nothing else.

    Args:
        mean: Per bin `(num_bins,)`, float32.
        std: Per bin `(num_bins,)`, float32, above zero.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def apply(self, frames: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return frames `(num_frames, num_bins)` with the mean removed, divided by std."""
        return ((frames - self.mean) / self.std).astype(np.float32, copy=False)

    @staticmethod
    def identity(num_bins: int) -> "Statistics":
        """Return what leaves frames as they are, for models that must see them raw."""
        return Statistics(np.zeros(num_bins, np.float32), np.ones(num_bins, np.float32))

    def of_utterances(
        self,
        store: FeatureStore,  # noqa: ARG002
        ids: Sequence[str],
        copies: DrawnCopies | None = None,  # noqa: ARG002
    ) -> "dict[str, Statistics]":
        """Return utterance id -> these statistics, the same for all; see `Normalisation`."""
        return dict.fromkeys(ids, self)

    def record(self, parts: "Mapping[str, FeatureDataset]") -> "Statistics":  # noqa: ARG002
        """Return themselves; see `Normalisation`."""
        return self

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({"mean": self.mean, "std": self.std}, path)

    @staticmethod
    def load(path: Path) -> "Statistics":
        """Read what `save` wrote.

        Raises:
            FileError: The file is missing or damaged, or the fold has no statistics of its own:
                it was normalised per speaker or session, see `ser.features.normalisation`.
        """
        tensors = arrays.read(path, "mean", "std")
        if tensors["mean"].ndim != 1:
            raise FileError(
                f"{path}: holds statistics of {len(tensors['mean'])} speakers or sessions and "
                f"none of the fold as a whole; to have those, train with `normalisation: fold` in "
                f"the model's recipe"
            )
        return Statistics(tensors["mean"], tensors["std"])


def fit_statistics(
    store: FeatureStore, ids: Sequence[str], copies: DrawnCopies | None = None
) -> Statistics:
    """Return mean and standard deviation per bin over all frames of some utterances.

    Args:
        store: Where the frames are.
        ids: The fold's train part.
        copies: What training draws from: the frames of each copy then count by its share,
            so that the statistics are those of what is seen on average; None counts the
            store's own.

    Returns:
        The statistics; a bin that never changes gets a standard deviation of one, so
        that it becomes zero instead of a division by zero.
    """
    count = 0.0
    total = np.zeros(store.num_bins)
    squares = np.zeros(store.num_bins)
    # Shifting by one utterance's mean keeps the sum of squares from cancelling.
    shift = store[ids[0]].astype(np.float64).mean(axis=0)
    for id_ in ids:
        for share, found in [(1.0, store[id_])] if copies is None else copies.frames(id_):
            frames = found.astype(np.float64) - shift
            count += share * len(frames)
            total += share * frames.sum(axis=0)
            squares += share * np.square(frames).sum(axis=0)
    variance = np.maximum(squares / count - np.square(total / count), 0.0)
    std = np.sqrt(variance)
    std[std < 1e-6] = 1.0
    return Statistics((shift + total / count).astype(np.float32), std.astype(np.float32))


class Recorded(Protocol):
    """Statistics as a finished fold keeps them."""

    def save(self, path: Path) -> None:
        """Write as safetensors."""


class Normalisation(Protocol):
    """Whose mean and deviation an utterance is normalised by.

    `Statistics` are those of the fold, for all utterances; see also
    `ser.features.normalisation.GroupNormalisation`.
    """

    def of_utterances(
        self, store: FeatureStore, ids: Sequence[str], copies: DrawnCopies | None = None
    ) -> Mapping[str, Statistics]:
        """Return utterance id -> its statistics.

        Args:
            store: Where the frames are.
            ids: The utterances of one dataset, hence of one part.
            copies: What the dataset draws from, see `fit_statistics`.
        """

    def record(self, parts: "Mapping[str, FeatureDataset]") -> Recorded:
        """Return what a finished fold keeps of it.

        Args:
            parts: Name of a part -> its dataset.
        """


#: Normalised frames of a dataset are kept up to this many bytes, for the next epoch.
_KEPT_BYTES = 256 * 2**20


class Row(NamedTuple):
    """One utterance of a dataset.

    Args:
        id: Of the utterance.
        frames: Normalised `(num_frames, num_bins)`.
        label: Class index.
        ratings: `(3,)`, NaN where there is none; None in a dataset without ratings.
        shares: Each class' share of the votes `(num_classes,)`; None in a dataset without.
    """

    id: str
    frames: NDArray[np.float32]
    label: int
    ratings: NDArray[np.float64] | None = None
    shares: NDArray[np.float64] | None = None


class FeatureDataset(Dataset[Row]):
    """The utterances of one part of a fold.

    Args:
        store: Their frames.
        ids: Which, in this order.
        label_of: Utterance id -> class index.
        normalisation: The fold's statistics, or whose else.
        rating_of: Utterance id -> valence, arousal and dominance, in points of their
            scale, NaN where there is no rating; None where nobody asks for them.
        copies: What the frames are drawn from, see `set_epoch`; None reads the store's own.
        share_of: Utterance id -> each class' share of the votes; None where labels are learnt.
    """

    def __init__(
        self,
        store: FeatureStore,
        ids: Sequence[str],
        label_of: Mapping[str, int],
        normalisation: Normalisation,
        rating_of: Mapping[str, Sequence[float]] | None = None,
        copies: DrawnCopies | None = None,
        share_of: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.store, self.ids, self.copies = store, tuple(ids), copies
        self.statistics_of = normalisation.of_utterances(store, self.ids, copies)
        self.labels = np.array([label_of[id_] for id_ in self.ids], dtype=np.int64)
        self._kept: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._room = _KEPT_BYTES
        self.set_epoch(0)
        self.ratings = self._rows_of(rating_of)
        self.shares = self._rows_of(share_of)

    def _rows_of(
        self, values_of: Mapping[str, Sequence[float]] | None
    ) -> NDArray[np.float64] | None:
        """Return `(num_utterances, num_values)` of a mapping, or None of none."""
        if values_of is None:
            return None
        return np.array([values_of[id_] for id_ in self.ids], dtype=np.float64)

    def set_epoch(self, epoch: int) -> None:
        """Choose the copy of every utterance, and so the lengths; call it before each epoch."""
        copies, store = self.copies, self.store
        self._stores = [store if copies is None else copies.draw(i, epoch) for i in self.ids]
        self.lengths = [
            store.num_frames(id_) for store, id_ in zip(self._stores, self.ids, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Row:
        ratings = None if self.ratings is None else self.ratings[row]
        shares = None if self.shares is None else self.shares[row]
        return Row(self.ids[row], self._frames(row), int(self.labels[row]), ratings, shares)

    def _frames(self, row: int) -> NDArray[np.float32]:
        """Return the normalised frames of a row; small parts are normalised once, not anew."""
        id_, store = self.ids[row], self._stores[row]
        key = (id(store), row)
        if key not in self._kept:
            frames = self.statistics_of[id_].apply(store[id_])
            if frames.nbytes > self._room:
                return frames
            self._room -= frames.nbytes
            self._kept[key] = frames
        return self._kept[key]


def collate(rows: Sequence[Row]) -> Batch:
    """Return rows as one batch, padded with zeros to the longest.

    Args:
        rows: At least one.

    Returns:
        The batch, rows in the same order.
    """
    lengths = torch.tensor([len(row.frames) for row in rows])
    if int(lengths.min()) == int(lengths.max()):
        inputs = torch.from_numpy(np.stack([row.frames for row in rows]))
    else:
        inputs = torch.zeros(len(rows), int(lengths.max()), rows[0].frames.shape[1])
        for index, row in enumerate(rows):
            inputs[index, : len(row.frames)] = torch.from_numpy(row.frames)
    labels = torch.tensor([row.label for row in rows])
    ratings, shares = _stacked([r.ratings for r in rows]), _stacked([r.shares for r in rows])
    return Batch(tuple(row.id for row in rows), inputs, lengths, labels, ratings, shares)


def _stacked(values: Sequence[NDArray[np.float64] | None]) -> torch.Tensor | None:
    given = [value for value in values if value is not None]
    return torch.from_numpy(np.stack(given)).float() if given else None
