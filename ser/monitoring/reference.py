"""What a model was heard to do before it was served: the distributions to compare with.

Kept per speaker, because recordings of one speaker resemble each other, and without names: a
speaker is a position in a list that is ordered by the numbers themselves.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ser.files import JsonArtefact
from ser.monitoring.clusters import Groups
from ser.monitoring.quantities import CLASSES, QUANTITIES
from ser.params import Section

if TYPE_CHECKING:
    import pandas as pd

#: Name of the file in a bundle.
FILE = "drift_reference.json"
#: Of recordings and of speakers; more would make the bundle larger and no test better.
MAX_RECORDINGS, MAX_SPEAKERS = 2000, 500
#: Percentiles 0 to 100.
_LEVELS = np.linspace(0.0, 1.0, 101)
_DIGITS = 6


class QuantityReference(Section):
    """One quantity of the reference.

    Args:
        percentiles: 0 to 100 over all recordings, in its own unit.
        sizes, means, variances: See `Groups`; of its scaled values.
    """

    percentiles: tuple[float, ...] = Field(min_length=101, max_length=101)
    sizes: tuple[int, ...] = Field(min_length=1, max_length=MAX_SPEAKERS)
    means: tuple[float, ...]
    variances: tuple[float, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "QuantityReference":
        if not len(self.sizes) == len(self.means) == len(self.variances):
            raise ValueError("sizes, means and variances must have one entry per speaker")
        if min(self.sizes) < 1 or min(self.variances) < 0.0:
            raise ValueError("sizes must be at least 1, variances at least 0")
        return self

    @property
    def groups(self) -> Groups:
        """Its speakers."""
        return Groups(np.array(self.sizes), np.array(self.means), np.array(self.variances))


class DriftReference(JsonArtefact):
    """The content of drift_reference.json.

    Args:
        format: Of the file.
        source: Which recordings these are, and who predicted them, for people.
        num_recordings, num_speakers: That it is made from.
        emotions: The classes, in order.
        quantities: Name -> its distribution, see `QUANTITIES`.
        class_counts: How often each emotion was predicted `(num_speakers, num_classes)`.
    """

    what: ClassVar[str] = "the reference of a bundle"
    cure: ClassVar[str] = "register the cell anew: `ser register <model>-<loss>`"

    format: Literal[1] = 1
    source: str
    num_recordings: int = Field(ge=1)
    num_speakers: int = Field(ge=1)
    emotions: tuple[str, ...] = Field(min_length=2)
    quantities: Mapping[str, QuantityReference]
    class_counts: tuple[tuple[int, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> "DriftReference":
        if unknown := sorted(set(self.quantities) - set(QUANTITIES)):
            raise ValueError(f"unknown quantities: {', '.join(unknown)}")
        if any(len(row) != len(self.emotions) or sum(row) < 1 for row in self.class_counts):
            raise ValueError("class_counts needs one count per emotion, and none without a count")
        return self

    @property
    def counts(self) -> NDArray[np.int64]:
        """Class counts `(num_speakers, num_classes)`."""
        return np.array(self.class_counts, dtype=np.int64)


def build(
    frame: "pd.DataFrame", speakers: Sequence[str], *, emotions: Sequence[str], source: str
) -> DriftReference:
    """Summarise recordings that the model was not trained on.

    Args:
        frame: One row per recording: `emotion` as predicted, and the columns of `QUANTITIES`
            that are known; NaN where one is not known of a recording.
        speakers: Who speaks each; only their grouping is kept.
        emotions: The classes, in order.
        source: For people; see `DriftReference`.
    """
    groups = _ordered(frame, np.asarray(speakers))
    return DriftReference(
        source=source,
        num_recordings=sum(len(group) for group in groups),
        num_speakers=len(groups),
        emotions=tuple(emotions),
        quantities={
            name: _summarised(name, [group[name].dropna().to_numpy(np.float64) for group in groups])
            for name in QUANTITIES
            if name in frame and frame[name].notna().any()
        },
        class_counts=tuple(
            tuple(int((group[CLASSES] == emotion).sum()) for emotion in emotions)
            for group in groups
        ),
    )


def chosen(num_recordings: int) -> NDArray[np.int64]:
    """Return which of so many recordings the reference is made from, in order.

    All of them, or 2000 that are drawn, the same ones each time.
    """
    if num_recordings <= MAX_RECORDINGS:
        return np.arange(num_recordings)
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(num_recordings, MAX_RECORDINGS, replace=False))


def _ordered(frame: "pd.DataFrame", speakers: NDArray[Any]) -> "list[pd.DataFrame]":
    """Return a table per speaker, in an order that does not tell their names."""
    groups = [group for _, group in frame.groupby(speakers)]
    first = next(name for name in QUANTITIES if name in frame)
    groups.sort(key=lambda group: (-len(group), float(group[first].mean())))
    return groups[:MAX_SPEAKERS]


def _summarised(name: str, values: Sequence[NDArray[np.float64]]) -> QuantityReference:
    values = [part for part in values if len(part)]
    scaled = [QUANTITIES[name].scaled(part) for part in values]
    percentiles = np.quantile(np.concatenate(values), _LEVELS)
    return QuantityReference(
        percentiles=_rounded(percentiles),
        sizes=tuple(len(part) for part in values),
        means=_rounded(part.mean() for part in scaled),
        variances=_rounded(part.var(ddof=1) if len(part) > 1 else 0.0 for part in scaled),
    )


def _rounded(values: Any) -> tuple[float, ...]:
    """Return numbers short enough for a file, and the same on another processor."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
