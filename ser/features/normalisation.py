"""Normalisation of each speaker, or each session, by itself instead of by the fold's train part.

It is transductive: the statistics of a test speaker come from all of that speaker's test
utterances, without their labels. So it says how well a cell does on speakers of whom many
recordings are at hand, not on one recording of a stranger.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from ser.features.dataset import FeatureDataset, Statistics, fit_statistics
from ser.features.drawn_copies import DrawnCopies
from ser.features.store import FeatureStore


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """What the groups of a finished fold were normalised by.

    Args:
        groups: `<part>/<group>` of each row, sorted; a speaker who is in two parts has a row
            in each.
        mean: Per row and bin `(num_groups, num_bins)`, float32.
        std: Per row and bin `(num_groups, num_bins)`, float32, above zero.
    """

    groups: tuple[str, ...]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write as safetensors; `Statistics.load` refuses the file."""
        metadata = {"groups": json.dumps(self.groups)}
        save_file({"mean": self.mean, "std": self.std}, path, metadata=metadata)

    @staticmethod
    def load(path: Path) -> "GroupStatistics":
        """Read what `save` wrote."""
        with safe_open(path, framework="numpy") as file:
            groups = tuple(json.loads(file.metadata()["groups"]))
            return GroupStatistics(groups, file.get_tensor("mean"), file.get_tensor("std"))


@dataclass(frozen=True, slots=True)
class GroupNormalisation:
    """Normalises each group of a dataset by its own frames in that dataset.

    A dataset holds one part of a fold, so statistics never mix parts: of a speaker who is in
    train and in test, as under the protocol `random`, each part has its own.

    Args:
        group_of: Utterance id -> its speaker, or its session.
    """

    group_of: Mapping[str, str]

    def of_utterances(
        self, store: FeatureStore, ids: Sequence[str], copies: DrawnCopies | None = None
    ) -> dict[str, Statistics]:
        """Return utterance id -> the statistics of its group, fitted on these utterances."""
        members: dict[str, list[str]] = {}
        # Sorted: sums must not depend on the order of a dataset's rows.
        for id_ in sorted(ids):
            members.setdefault(self.group_of[id_], []).append(id_)
        fitted = {group: fit_statistics(store, found, copies) for group, found in members.items()}
        return {id_: fitted[self.group_of[id_]] for id_ in ids}

    def record(self, parts: Mapping[str, FeatureDataset]) -> GroupStatistics:
        """Return the statistics of every group in some parts, to be saved."""
        found = {
            f"{part}/{self.group_of[id_]}": statistics
            for part, dataset in parts.items()
            for id_, statistics in dataset.statistics_of.items()
        }
        groups = tuple(sorted(found))
        return GroupStatistics(
            groups,
            np.stack([found[group].mean for group in groups]),
            np.stack([found[group].std for group in groups]),
        )
