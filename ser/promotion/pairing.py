"""Which utterances two versions were both tested on, and how they compare on these.

A corpus grows and loses recordings, and a comparison needs the same utterances on both sides.
Both versions were tested on all of their corpus in cross-validation, so what both tested can be
taken out of either and compared: an utterance counts if id, recording and truth are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import predictions
from ser.evaluation import comparison, statistics
from ser.registry.evidence import Shared
from ser.utterance import Utterance

FILE = "tested.parquet"
"""What the cell of a version was tested on; an artifact of the run that registered it."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What the cell of a version was tested on.

    Args:
        frame: Its predictions of test parts, all folds and seeds.
        recording_of: Utterance id -> SHA-256 of the recording; None of a version that was
            registered before this was kept.
    """

    frame: pd.DataFrame
    recording_of: Mapping[str, str] | None

    @property
    def truth_of(self) -> dict[str, str]:
        """Utterance id -> emotion."""
        return dict(zip(self.frame["utterance_id"], self.frame["truth"], strict=True))

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in order."""
        return predictions.emotions_of(self.frame)


@dataclass(frozen=True, slots=True)
class Pair:
    """A challenger and a champion on the utterances that both tested.

    Args:
        shared: How many these are; None where the classes differ.
        difference_low: Lower end of the 95 % interval over speakers of the UAR of the
            challenger minus that of the champion; NaN for one speaker, None without a pair.
        reason: Why there is no pair; empty where there is one.
    """

    shared: Shared | None
    difference_low: float | None
    reason: str = ""


def recordings(frame: pd.DataFrame, utterances: Sequence[Utterance]) -> pd.DataFrame:
    """Return the content of `FILE`: `utterance_id, sha256` of what was tested.

    Args:
        frame: Predictions of a cell.
        utterances: The manifest.
    """
    ids = set(frame.loc[frame["part"] == "test", "utterance_id"])
    rows = [(one.id, one.sha256) for one in utterances if one.id in ids]
    return pd.DataFrame(rows, columns=["utterance_id", "sha256"])


def pair(challenger: Tested, champion: Tested, speaker_of: Mapping[str, str]) -> Pair:
    """Compare two versions on the utterances that both tested.

    Args:
        challenger: What its cell tested.
        champion: The same of the other.
        speaker_of: Utterance id -> speaker, of all that the challenger tested.
    """
    if challenger.emotions != champion.emotions:
        said = f"{', '.join(champion.emotions)}; the challenger: {', '.join(challenger.emotions)}"
        return Pair(None, None, f"it tells other classes apart: {said}")
    ids = common(challenger, champion)
    shared = Shared(
        num_utterances=len(ids),
        num_challenger=len(challenger.truth_of),
        num_champion=len(champion.truth_of),
        matched_by="recording" if _say_recordings(challenger, champion) else "id",
    )
    if not ids:
        return Pair(shared, None, "no utterance was tested by both")
    counts = [_by_speaker(one, ids, speaker_of) for one in (challenger, champion)]
    try:
        return Pair(shared, comparison.compare(*counts).low)
    except ValueError as error:
        return Pair(shared, None, str(error))


def common(one: Tested, other: Tested) -> set[str]:
    """Return the ids of the utterances that both tested: the same recording, the same truth.

    Where a version does not say its recordings, the same id and truth are enough.
    """
    truths = one.truth_of, other.truth_of
    ids = {id_ for id_, truth in truths[0].items() if truths[1].get(id_) == truth}
    if one.recording_of is None or other.recording_of is None:
        return ids
    return {id_ for id_ in ids if one.recording_of.get(id_) == other.recording_of.get(id_)}


def _say_recordings(one: Tested, other: Tested) -> bool:
    return one.recording_of is not None and other.recording_of is not None


def _by_speaker(
    tested: Tested, ids: set[str], speaker_of: Mapping[str, str]
) -> NDArray[np.float64]:
    """Return confusion counts per speaker, mean over seeds, of some utterances."""
    rows = tested.frame[tested.frame["utterance_id"].isin(ids)]
    counts = statistics.confusion_by_speaker(
        truth=predictions.label_ids(rows["truth"], tested.emotions),
        prediction=predictions.label_ids(rows["prediction"], tested.emotions),
        speakers=rows["utterance_id"].map(dict(speaker_of)).to_numpy(dtype=np.str_),
        num_classes=len(tested.emotions),
    )
    return counts / rows["seed"].nunique()
