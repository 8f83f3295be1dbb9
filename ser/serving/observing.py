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


def observe(predictor: Predictor, waveform: Waveform) -> dict[str, Any]:
    """Return how a recording sounds, its most probable emotion, and the confidence in it."""
    probabilities = predictor.predict(waveform).whole.probabilities
    emotion = max(probabilities, key=lambda name: probabilities[name])
    heard = sound(waveform, predictor.sampling_rate)
    return {**heard, CLASSES: emotion, "confidence": probabilities[emotion]}


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
