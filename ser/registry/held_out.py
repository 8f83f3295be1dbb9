"""The reference of a bundle, from speech that is new to who predicted it.

A model is surer of what it was trained on, so its answers there would make every new recording
look like drift. The reference are therefore test parts: in cross-validation nearly every
utterance is in one, predicted by weights that have not heard its speaker. Most of these are the
weights of other folds than the served one. They are siblings: same data but for a part, same
procedure; how they differ adds to what passes for a difference between speakers. One fold alone
would have the served weights, and too few speakers to know how much speakers differ.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ser import predictions
from ser.data import audio, recordings
from ser.data.split_report import SplitReport
from ser.errors import AudioError, BundleError
from ser.evaluation import calibration
from ser.monitoring import measures, reference
from ser.monitoring.quantities import CLASSES
from ser.monitoring.reference import DriftReference
from ser.utterance import Utterance


def reference_of(
    frame: pd.DataFrame,
    utterances: Sequence[Utterance],
    split: SplitReport,
    *,
    root: Path,
    sampling_rate: int,
    distance_of: Mapping[str, float],
) -> DriftReference:
    """Return what the weights of a cell say of their test parts, and what these sound like.

    Args:
        frame: Predictions of the cell under one seed, all folds, dev and test.
        utterances: The manifest.
        split: How the folds were made.
        root: The corpus' folder.
        sampling_rate: At which the model hears, in Hz.
        distance_of: Utterance id -> distance of the served weights' embedding from training,
            of utterances that are new to these weights: in cross-validation those of one
            fold, because embeddings of different weights are no points of one space.

    Raises:
        BundleError: A recording is not there, or is damaged.
    """
    heard = table(frame, utterances, root=root, sampling_rate=sampling_rate)
    heard["distance"] = heard["utterance_id"].map(dict(distance_of)).astype("float64")
    known = "" if split.speaker_independent else ", whose speakers were heard in training"
    return reference.build(
        heard,
        list(heard["speaker"]),
        emotions=predictions.emotions_of(frame),
        source=f"the test parts of all folds of protocol {split.protocol}{known}",
    )


def table(
    frame: pd.DataFrame, utterances: Sequence[Utterance], *, root: Path, sampling_rate: int
) -> pd.DataFrame:
    """Return `utterance_id, speaker`, the answer and how it sounds, of test utterances.

    Args:
        frame: Predictions of the cell under one seed, all folds, dev and test.
        utterances: The manifest.
        root: The corpus' folder.
        sampling_rate: At which the model hears, in Hz.

    Raises:
        BundleError: A recording is not there, or is damaged.
    """
    test = answers(frame)
    test = test.iloc[reference.chosen(len(test))].reset_index(drop=True)
    by_id = {utterance.id: utterance for utterance in utterances}
    heard = [by_id[id_] for id_ in test["utterance_id"]]
    sounds = pd.DataFrame([_sound(one, root, sampling_rate) for one in heard])
    speakers = pd.Series([one.speaker for one in heard], name="speaker")
    return pd.concat([test, speakers, sounds], axis=1)


def answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `utterance_id, emotion, confidence` of the test rows, each utterance once.

    Args:
        frame: Predictions of a cell under one seed. Each fold is calibrated by the
            temperature of its own dev part, as it would be if it were served.
    """
    test, _ = calibration.calibrate(frame)
    test = test.sort_values(["utterance_id", "fold"]).drop_duplicates("utterance_id")
    return pd.DataFrame(
        {
            "utterance_id": test["utterance_id"],
            CLASSES: test["prediction"],
            "confidence": predictions.probabilities_of(test).max(axis=1),
        }
    ).reset_index(drop=True)


def _sound(utterance: Utterance, root: Path, sampling_rate: int) -> dict[str, float]:
    try:
        samples = audio.read_utterance(root, utterance, sampling_rate=sampling_rate)
    except AudioError as error:
        raise BundleError(
            f"{error}; registering listens to what was tested; {recordings.CURE}"
        ) from error
    return {"duration_s": utterance.duration_s, **measures.measure(samples, sampling_rate)}
