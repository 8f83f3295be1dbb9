"""What a protocol costs: a cell's scores under two protocols, and their difference."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ser.contracts import RunSpec
from ser.data.split_report import SplitReport
from ser.evaluation import comparison, summary
from ser.evaluation.comparison import Paired
from ser.files import JsonArtefact
from ser.params import Section
from ser.tracking import recording

#: Of the table, in order.
COLUMNS = (
    "protocol",
    "num_folds",
    "num_seeds",
    "num_tested",
    "mean_train",
    "mean_left_out",
    "uar",
    "uar_low",
    "uar_high",
    "wa",
)
#: Params of a run that say how its cell is trained, and on what; not on which folds.
_SECTIONS = ("model", "loss", "recipe", "training", "feature")
#: Of these, what chooses which weights are kept and changes no score.
_INDIFFERENT = "training.keep_weights"
#: A tag of a run -> what it is the digest of, in words.
_DIGESTS = {
    "ser.features_sha256": "content of the feature",
    "ser.source_sha256": "code that trains",
}
_NUM_NAMED = 3


class UnderProtocol(Section):
    """A cell under one protocol.

    Args:
        protocol: Its name.
        split_sha256: Of its folds.
        num_folds, num_seeds: How often the cell was trained is their product.
        num_tested: Utterances that some fold tests.
        mean_train, mean_left_out: Utterances that a fold trains on, and that are in none of its
            parts, in the mean over folds.
        uar, wa: In [0, 1], over all that was tested.
        uar_low, uar_high: 95 % interval over speakers, null for one.
    """

    protocol: str
    split_sha256: str
    num_folds: int
    num_seeds: int
    num_tested: int
    mean_train: float
    mean_left_out: float
    uar: float
    uar_low: float | None
    uar_high: float | None
    wa: float


class ProtocolCost(JsonArtefact):
    """The content of a file in data/protocol_gaps.

    Args:
        cell: `<model>-<loss>`.
        synthetic: Whether the speech is.
        manifest_sha256: Of the utterances.
        settings: How the cell was trained, see `settings_of`; files of before have none.
        first, second: The cell under either protocol.
        num_compared: Utterances that both tested; the difference is of these.
        difference: UAR of the second minus that of the first, in [-1, 1].
        low, high: 95 % interval of the difference over speakers, null for one.
        p: Of the two-sided t test over speakers.
    """

    what: ClassVar[str] = "what `ser protocol-gap` measured"
    cure: ClassVar[str] = "`ser protocol-gap` makes it"

    cell: str
    synthetic: bool
    manifest_sha256: str
    settings: Mapping[str, str] = {}
    first: UnderProtocol
    second: UnderProtocol
    num_compared: int
    difference: float
    low: float | None
    high: float | None
    p: float

    def table(self) -> pd.DataFrame:
        """Return one row per protocol with `COLUMNS`."""
        rows = [under.model_dump() for under in (self.first, self.second)]
        return pd.DataFrame(rows)[list(COLUMNS)]

    def differing(self, spec: RunSpec) -> list[str]:
        """Return in what the measured cell differs from a run of it now, a text for each."""
        now = settings_of(spec)
        if not self.settings:
            return ["the file does not say how its cell was trained"]
        names = sorted(name for name in {*self.settings, *now} if name not in _DIGESTS)
        found = [
            f"{name} was {self.settings.get(name, 'absent')}, is {now.get(name, 'absent')}"
            for name in names
            if self.settings.get(name) != now.get(name)
        ]
        others = [
            f"another {what}"
            for tag, what in _DIGESTS.items()
            if self.settings.get(tag) != now.get(tag)
        ]
        return found + others


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a cell of the grid, and whether it holds for the cell as it is now.

    Args:
        cost: What was measured.
        differing: In what the measured cell differs from that of the grid; its numbers are not
            to be shown beside the cell's then.
    """

    cost: ProtocolCost
    differing: tuple[str, ...] = ()

    @property
    def why_not(self) -> str:
        """Why the numbers do not belong beside those of the cell, and the cure."""
        more = len(self.differing) - _NUM_NAMED
        rest = f", and {more} more" if more > 0 else ""
        return (
            f"measured on {self.cost.cell} with other params than it has now "
            f"({'; '.join(self.differing[:_NUM_NAMED])}{rest}): `{command(self.cost)}` "
            f"measures it anew"
        )


def settings_of(spec: RunSpec) -> dict[str, str]:
    """Return how the cell of a run is trained whatever its folds are, name -> value as text.

    Args:
        spec: The run of the whole cell.

    Returns:
        Params with dotted names, and two digests by the names of their tags.
    """
    params = {name: spec.params[name] for name in _SECTIONS if name in spec.params}
    flat = recording.flatten(params)
    flat.pop(_INDIFFERENT, None)
    return flat | {tag: spec.tags[tag] for tag in _DIGESTS if tag in spec.tags}


def command(cost: ProtocolCost) -> str:
    """Return the command that measures the same anew."""
    reference = f" --reference {cost.first.protocol}" if cost.first.protocol != "session" else ""
    return f"ser protocol-gap {cost.cell} --protocol {cost.second.protocol}{reference}"


def measure(
    spec: RunSpec,
    *,
    frames: tuple[pd.DataFrame, pd.DataFrame],
    splits: tuple[SplitReport, SplitReport],
    speaker_of: Mapping[str, str],
    synthetic: bool,
) -> ProtocolCost:
    """Compare a cell's predictions under two protocols.

    Args:
        spec: The run of the cell under either protocol; they differ in their folds alone.
        frames: Its predictions under the first and under the second protocol.
        splits: How their folds were made.
        speaker_of: Utterance id -> speaker.
        synthetic: Whether the speech is.

    Raises:
        ValueError: No utterance of some emotion was tested under both.
    """
    tested = [set(frame.loc[frame["part"] == "test", "utterance_id"]) for frame in frames]
    both = tested[0] & tested[1]
    found = _compare(frames, both, speaker_of)
    first, second = (
        _under(frame, split, speaker_of) for frame, split in zip(frames, splits, strict=True)
    )
    return ProtocolCost(
        cell=spec.name,
        synthetic=synthetic,
        manifest_sha256=splits[0].manifest_sha256,
        settings=settings_of(spec),
        first=first,
        second=second,
        num_compared=len(both),
        difference=found.difference,
        low=_or_null(found.low),
        high=_or_null(found.high),
        p=found.p,
    )


def of_split(folder: Path, split: SplitReport, specs: Mapping[str, RunSpec]) -> list[Measured]:
    """Return what was measured on the utterances of a split, with its folds, sorted by cell.

    Args:
        folder: Of the files; there may be none.
        split: The report of the folds.
        specs: Name of a cell -> its run with the values of params.yaml, not with tuned ones:
            those are measured. Other cells are left out.

    Raises:
        FileError: A file is damaged.
    """
    found = [ProtocolCost.read(path) for path in sorted(folder.glob("*.json"))]
    return [
        Measured(one, tuple(one.differing(specs[one.cell])))
        for one in found
        if one.cell in specs
        and one.manifest_sha256 == split.manifest_sha256
        and split.split_sha256 in (one.first.split_sha256, one.second.split_sha256)
    ]


def _compare(
    frames: tuple[pd.DataFrame, pd.DataFrame], both: set[str], speaker_of: Mapping[str, str]
) -> Paired:
    """Return the second minus the first on the utterances that both tested."""
    first, second = (
        summary.summarise(frame[frame["utterance_id"].isin(both)], speaker_of).by_seed
        for frame in frames
    )
    return comparison.compare(second, first)


def _under(frame: pd.DataFrame, split: SplitReport, speaker_of: Mapping[str, str]) -> UnderProtocol:
    scores = summary.summarise(frame, speaker_of)
    interval = scores.intervals["uar"]
    return UnderProtocol(
        protocol=split.protocol,
        split_sha256=split.split_sha256,
        num_folds=scores.num_folds,
        num_seeds=scores.num_seeds,
        num_tested=frame.loc[frame["part"] == "test", "utterance_id"].nunique(),
        mean_train=float(np.mean([fold.num_utterances["train"] for fold in split.folds])),
        mean_left_out=float(np.mean([fold.num_left_out for fold in split.folds])),
        uar=scores.scores["uar"],
        uar_low=_or_null(interval.low),
        uar_high=_or_null(interval.high),
        wa=scores.scores["wa"],
    )


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def as_text(cost: ProtocolCost) -> str:
    """Return what was found for a terminal."""
    lines = [f"{cost.cell}{' (SYNTHETIC speech)' if cost.synthetic else ''}"]
    lines.append(
        f"{'protocol':<10} {'folds':>5} {'train':>6} {'left out':>8} {'tested':>6} {'UAR %':>6} "
        f"{'95 % interval':>16} {'WA %':>6}"
    )
    for row in (cost.first, cost.second):
        interval = _interval(row.uar_low, row.uar_high, sign="")
        lines.append(
            f"{row.protocol:<10} {row.num_folds:>5} {row.mean_train:>6.0f} "
            f"{row.mean_left_out:>8.0f} {row.num_tested:>6} {100 * row.uar:>6.1f} "
            f"{interval:>16} {100 * row.wa:>6.1f}"
        )
    lines.append(statement(cost))
    return "\n".join(lines)


def statement(cost: ProtocolCost) -> str:
    """Return the difference in words."""
    return (
        f"{cost.second.protocol} minus {cost.first.protocol}: {100 * cost.difference:+.1f} points "
        f"of UAR ({_interval(cost.low, cost.high, sign='+')}), paired p {cost.p:.3f}, on the "
        f"{cost.num_compared} utterances that both tested"
    )


def _interval(low: float | None, high: float | None, *, sign: str) -> str:
    if low is None or high is None:
        return "not known"
    return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"
