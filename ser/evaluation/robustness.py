"""How a cell does when its recordings are changed: the test parts under every copy of a feature.

The weights are those that read the recordings as they are; only what they hear is other.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ser import predictions
from ser.cell_folders import CellFolder
from ser.evaluation import comparison, summary
from ser.evaluation.stability import stability
from ser.grid.params import Cell

#: The copy of the recordings as they are, whose predictions are the cell's own.
CLEAN = "clean"

#: Kind of change -> how it is called, where its name alone would not say it.
_NAMES = {
    "noise": "white noise",
    "pink": "pink noise",
    "noisefile": "noise files",
    "clip": "clipping",
    "mp3": "MP3",
    "opus": "Opus",
}

#: Unit as in the name of a copy -> as it is written.
_UNITS = {"": "", "db": " dB", "s": " s", "k": " kbit/s", "st": " semitones"}

#: Kinds of change whose level is a signal-to-noise ratio in dB.
SNR_KINDS = ("noise", "pink", "babble", "noisefile")

COLUMNS = (
    "model",
    "loss",
    "copy",
    "uar",
    "uar_low",
    "uar_high",
    "stability",
    "stability_low",
    "stability_high",
    "uar_change",
    "uar_change_low",
    "uar_change_high",
    "num_seeds",
)

PAIR_COLUMNS = (
    "model",
    "loss",
    "copy",
    "num_speakers",
    "uar_with",
    "uar_without",
    "difference",
    "low",
    "high",
    "effect_size",
    "p",
    "p_holm",
    "significant",
)

#: Name of a copy -> predictions of the test part under it, `clean` first.
UnderCopies = Mapping[str, pd.DataFrame]


class CopyName(NamedTuple):
    """What the name of a copy says.

    Args:
        kind: The kind of change, e.g. `noise`.
        level: Its level as a number; NaN of a change that has none.
        unit: What follows the number, e.g. `db`.
    """

    kind: str
    level: float
    unit: str

    @property
    def is_snr(self) -> bool:
        """Whether the level is a signal-to-noise ratio."""
        return self.kind in SNR_KINDS and not np.isnan(self.level)

    @property
    def name(self) -> str:
        """The kind in words."""
        return _NAMES.get(self.kind, self.kind.replace("_", " "))

    @property
    def level_text(self) -> str:
        """The level with its unit; empty of a change that has none."""
        if np.isnan(self.level):
            return ""
        return f"{self.level:g}{_UNITS.get(self.unit, f' {self.unit}')}"


def parse_copy(copy: str) -> CopyName:
    """Return what the name of a copy says, `<kind>_<level><unit>` or `<kind>` alone.

    Example:
        >>> parse_copy("noise_20db")
        CopyName(kind='noise', level=20.0, unit='db')
    """
    found = re.fullmatch(r"(?P<kind>.+)_(?P<level>-?\d+(\.\d+)?)(?P<unit>[a-z]*)", copy)
    if found is None:
        return CopyName(copy, float("nan"), "")
    return CopyName(found["kind"], float(found["level"]), found["unit"])


def in_order(copies: Iterable[str]) -> list[str]:
    """Return copies in the order of tables: `clean`, then kind by kind, levels falling."""

    def place(copy: str) -> tuple[bool, str, float]:
        change = parse_copy(copy)
        return copy != CLEAN, change.kind, 0.0 if np.isnan(change.level) else -change.level

    return sorted(set(copies), key=place)


def snr_kinds(copies: Iterable[str]) -> list[str]:
    """Return the kinds of noise that copies have at several levels, in the order of SNR_KINDS."""
    levels = [parse_copy(copy) for copy in set(copies)]
    counts = Counter(change.kind for change in levels if change.is_snr)
    return [kind for kind in SNR_KINDS if counts[kind] > 1]


def read(cell: CellFolder) -> dict[str, pd.DataFrame] | None:
    """Return a trained cell's predictions of the test parts by copy, see `under_copies`.

    Returns:
        None of a cell whose feature has no copies.

    Raises:
        FileError: A table is missing or damaged.
    """
    if not cell.copies.is_file():
        return None
    return under_copies(predictions.read(cell.predictions), predictions.read(cell.copies))


def under_copies(own: pd.DataFrame, copies: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a cell's predictions of the test parts by copy.

    Args:
        own: Its predictions of the recordings as they are, all folds and seeds.
        copies: Those under the other copies, see `ser.predictions.of_copies`.

    Returns:
        Name of a copy -> its predictions in the order of utterances, folds and seeds that
        `clean` has.

    Raises:
        ValueError: Other utterances were tested under a copy than under `clean`.
    """
    keys = ["utterance_id", "fold", "seed"]
    test = own[own["part"] == "test"].sort_values(keys, ignore_index=True)
    found = {CLEAN: test}
    for copy, rows in copies.groupby("copy"):
        ordered = rows.sort_values(keys, ignore_index=True)
        if not ordered[[*keys, "truth"]].equals(test[[*keys, "truth"]]):
            raise ValueError(f"under the copy {copy!r} other utterances were tested than as clean")
        found[str(copy)] = ordered.drop(columns="copy").assign(part="test")
    return {copy: found[copy] for copy in in_order(found)}


def table(cells: Mapping[Cell, UnderCopies], speaker_of: Mapping[str, str]) -> pd.DataFrame:
    """Return how every cell does under every copy.

    Args:
        cells: (model, loss) -> predictions by copy, see `under_copies`.
        speaker_of: Utterance id -> speaker.

    Returns:
        One row per cell and copy with `COLUMNS`, `clean` among them. `uar` is as in
        `reports/grid.csv`; `stability` is the share of decisions that stay as under `clean`;
        `uar_change` is UAR minus that under `clean`, paired over speakers. All intervals are
        95 % over speakers, NaN for one.

    Raises:
        ValueError: See `ser.evaluation.summary.summarise`.
    """
    rows = [
        {"model": model, "loss": loss, **row}
        for (model, loss), by_copy in cells.items()
        for row in _rows(by_copy, speaker_of)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(by_copy: UnderCopies, speaker_of: Mapping[str, str]) -> list[dict[str, object]]:
    clean = summary.summarise(by_copy[CLEAN], speaker_of)
    rows: list[dict[str, object]] = []
    for copy, frame in by_copy.items():
        found = clean if copy == CLEAN else summary.summarise(frame, speaker_of)
        # The weights are the same, so what seeds make of them is the same too.
        change = comparison.compare(found.by_speaker, clean.by_speaker)
        stays, of_speakers = stability(
            by_copy[CLEAN]["prediction"].to_numpy(dtype=np.str_),
            frame["prediction"].to_numpy(dtype=np.str_),
            frame["utterance_id"].map(speaker_of).to_numpy(dtype=np.str_),
            num_seeds=found.num_seeds,
        )
        rows.append(
            {
                "copy": copy,
                "uar": found.scores["uar"],
                "uar_low": found.intervals["uar"].low,
                "uar_high": found.intervals["uar"].high,
                "stability": stays,
                "stability_low": of_speakers.low,
                "stability_high": of_speakers.high,
                "uar_change": change.difference,
                "uar_change_low": change.low,
                "uar_change_high": change.high,
                "num_seeds": found.num_seeds,
            }
        )
    return rows


def as_metrics(by_copy: UnderCopies) -> dict[str, float]:
    """Return the tracking keys of a cell's parent run, e.g. `test/uar_noise_20db`.

    Args:
        by_copy: Predictions by copy, see `under_copies`.

    Returns:
        `test/uar_<copy>` and `test/stability_<copy>` of every copy but `clean`.
    """
    clean, keys = by_copy[CLEAN], {}
    for copy, frame in by_copy.items():
        if copy != CLEAN:
            uars = [predictions.score(rows).uar for _, rows in frame.groupby("seed")]
            stays = clean["prediction"].to_numpy() == frame["prediction"].to_numpy()
            keys[f"test/uar_{copy}"] = float(np.mean(uars))
            keys[f"test/stability_{copy}"] = float(stays.mean())
    return keys


def pairs_table(
    cells: Mapping[Cell, tuple[UnderCopies, UnderCopies]], speaker_of: Mapping[str, str]
) -> pd.DataFrame:
    """Return what training on copies brought, under every copy.

    Args:
        cells: (model, loss) -> predictions by copy of the cell that was trained on copies, and
            of the one that was trained on `clean` alone.
        speaker_of: Utterance id -> speaker.

    Returns:
        One row per cell and copy with `PAIR_COLUMNS`. `difference` is with copies minus
        without, on the same utterances; interval and p as in `reports/pairs.csv`, p corrected
        after Holm over the copies of the cell.

    Raises:
        ValueError: The two were not tested on the same utterances under the same copies.
    """
    rows = []
    for (model, loss), (with_, without) in cells.items():
        if list(with_) != list(without):
            raise ValueError(
                f"{model}-{loss} was tested under {', '.join(with_)} with copies, and under "
                f"{', '.join(without)} without, so they make no pair"
            )
        found = [_pair(with_[copy], without[copy], speaker_of) for copy in with_]
        p_holm = comparison.holm(np.array([pair["p"] for pair in found]))
        rows += [
            {"model": model, "loss": loss, "copy": copy, **pair, "p_holm": p}
            for copy, pair, p in zip(with_, found, p_holm.tolist(), strict=True)
        ]
    pairs = pd.DataFrame(rows, columns=list(PAIR_COLUMNS[:-1]))
    return pairs.assign(significant=pairs["p_holm"] < comparison.ALPHA)


def verdict(difference: float, *, significant: bool) -> str:
    """Say in words what the paired test of a cell with and without copies shows.

    Example:
        >>> verdict(0.02, significant=False)
        'not told apart'
    """
    if not significant:
        return "not told apart"
    return "better with copies" if difference > 0 else "worse with copies"


def _pair(
    with_: pd.DataFrame, without: pd.DataFrame, speaker_of: Mapping[str, str]
) -> dict[str, float]:
    first, second = (summary.summarise(one, speaker_of).by_seed for one in (with_, without))
    found = comparison.compare(first, second)
    return {
        "num_speakers": first.shape[1],
        "uar_with": found.uar_a,
        "uar_without": found.uar_b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "effect_size": found.effect_size,
        "p": found.p,
    }
