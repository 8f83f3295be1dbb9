"""What `ser monitor` compares, of one recording: how it sounds and what is answered."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ser.errors import AudioInputError
from ser.monitoring import measures
from ser.monitoring.quantities import CLASSES
from ser.progress import Progress
from ser.serving import audio_input
from ser.serving.audio_input import Waveform
from ser.serving.prediction import Prediction
from ser.serving.predictor import Predictor

#: Path and why it cannot be used.
Refusal = tuple[Path, str]


def sound(waveform: Waveform, sampling_rate: int) -> dict[str, float]:
    """Return what is measured of a recording.

    Args:
        waveform: At its own rate.
        sampling_rate: At which the model hears, in Hz: there the reference was measured.

    Returns:
        `duration_s` and everything of `ser.monitoring.measures.measure`.
    """
    samples = audio_input.to_rate(waveform, sampling_rate)
    return {"duration_s": waveform.duration_s, **measures.measure(samples, sampling_rate)}


def of_prediction(prediction: Prediction, waveform: Waveform, sampling_rate: int) -> dict[str, Any]:
    """Return the columns that are compared.

    Args:
        prediction: Of the recording.
        waveform: The recording, at its own rate.
        sampling_rate: At which the model hears, in Hz.

    Returns:
        What `sound` gives; the most probable `emotion`, whether it is given or not, the
        `confidence` in it, and the `distance` from training where the bundle knows it.
    """
    emotion = prediction.whole.most_probable
    known = {} if prediction.distance is None else {"distance": prediction.distance}
    return {
        **sound(waveform, sampling_rate),
        CLASSES: emotion,
        "confidence": prediction.whole.probabilities[emotion],
        **known,
    }


def observe(predictor: Predictor, waveform: Waveform) -> dict[str, Any]:
    """Return the columns that are compared, of a recording; see `of_prediction`."""
    return of_prediction(predictor.predict(waveform), waveform, predictor.sampling_rate)


def observe_all(
    paths: Sequence[Path], predictor: Predictor, *, progress: Progress = iter
) -> tuple[list[dict[str, Any]], list[Refusal]]:
    """Observe recordings.

    Args:
        paths: WAV, FLAC, OGG or MP3 files.
        predictor: Who answers.
        progress: Wraps the iteration over recordings.

    Returns:
        What was observed, and what cannot be used with its reason.
    """
    refused: list[Refusal] = []

    def rows() -> Iterator[dict[str, Any]]:
        for path in progress(paths):
            try:
                waveform = audio_input.from_path(path, predictor.limits)
            except AudioInputError as error:
                refused.append((path, str(error)))
                continue
            yield observe(predictor, waveform)

    return list(rows()), refused
