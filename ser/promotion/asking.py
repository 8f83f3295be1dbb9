"""Ask a model, in a process of its own, about recordings as they are and changed."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import files, predictions
from ser.data import audio
from ser.errors import RegistryError
from ser.evaluation.temperature import log_probabilities
from ser.features import copies
from ser.features.changes._base import Samples
from ser.features.store import CLEAN
from ser.promotion import answering_process
from ser.registry.evidence import Served
from ser.serving.audio_input import InputLimits
from ser.utterance import Utterance

_TIMEOUT_S = 3600

#: More than the head of a WAV file takes.
_HEADER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Question:
    """One recording that a model is asked about.

    Args:
        utterance_id: Whose recording.
        change: As `ser.features.copies` names it; `clean` is the recording as it is.
        path: Of the recording, or of its samples, a `.npy` file.
        duration_s: Length of the utterance, in seconds.
        sampling_rate: Of the samples, in Hz; None: the file is a recording and says it.
    """

    utterance_id: str
    change: str
    path: Path
    duration_s: float
    sampling_rate: int | None = None


@dataclass(frozen=True, slots=True)
class Recordings:
    """Where the recordings of a corpus are, and where changed ones may be written.

    Args:
        root: Of the corpus.
        scratch: A folder that nobody else writes to.
        sampling_rate: At which recordings are changed, in Hz: that of the model's feature, so
            that a change is what the copy of that name is.
        max_bytes: What the model takes of one recording's file. A larger one is sent as samples,
            which need no file: what training read in parts, or at another rate, may be as long as
            an answer may be.
    """

    root: Path
    scratch: Path
    sampling_rate: int
    max_bytes: int = InputLimits().max_bytes

    def question(self, utterance: Utterance, change: str) -> Question:
        """Return one question; a changed recording, or a part of one, is written first.

        Raises:
            AudioError: The recording cannot be read; names it.
        """
        asked = Question(utterance.id, change, self.root / utterance.audio, utterance.duration_s)
        if change != CLEAN:
            return self._written(asked, self._changed(utterance, change), self.sampling_rate)
        if utterance.segment is None and self._fits(asked.path):
            return asked
        rate = utterance.sampling_rate
        samples = audio.read_utterance(self.root, utterance, sampling_rate=rate)
        return self._written(asked, samples, rate)

    def _changed(self, utterance: Utterance, change: str) -> Samples:
        rate = self.sampling_rate
        waveform = audio.read_utterance(self.root, utterance, sampling_rate=rate)
        return copies.change_of(change)(waveform, rate, copies.rng_of(utterance, change))

    def _written(self, asked: Question, samples: Samples, sampling_rate: int) -> Question:
        """Return the question about samples: in a file that the model takes, or as they are."""
        path = self.scratch / f"{len(list(self.scratch.iterdir()))}.wav"
        if samples.astype(np.float32).nbytes + _HEADER_BYTES <= self.max_bytes:
            audio.write(path, samples, sampling_rate, subtype="FLOAT", format="WAV")
            return replace(asked, path=path)
        path = path.with_suffix(".npy")
        np.save(path, samples)
        return replace(asked, path=path, sampling_rate=sampling_rate)

    def _fits(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_size <= self.max_bytes


def questions(
    plain: Sequence[Utterance],
    changed: Collection[str],
    changes: Sequence[str],
    recordings: Recordings,
) -> list[Question]:
    """Return what is asked: all utterances as they are, some of them changed too.

    Args:
        plain: All of them.
        changed: Ids of those that are changed.
        changes: Each of them is asked for.
        recordings: Where they are.

    Raises:
        AudioError: A recording cannot be read; names it.
    """
    return [
        recordings.question(utterance, change)
        for utterance in plain
        for change in (CLEAN, *(changes if utterance.id in changed else ()))
    ]


def ask(model_uri: str, asked: Sequence[Question], *, tracking_uri: str) -> list[dict[str, Any]]:
    """Return the answers of a model, in order, each with `seconds`; it is loaded once.

    Args:
        model_uri: `models:/<name>/<version>`, or the folder of a saved model.
        asked: The questions.
        tracking_uri: The store with the registry.

    Raises:
        RegistryError: The process ended with an error; holds its last line.
    """
    with tempfile.TemporaryDirectory() as name:
        requests, answers = Path(name) / "requests.json", Path(name) / "answers.jsonl"
        described = [
            {"path": str(question.path.resolve()), "sampling_rate": question.sampling_rate}
            for question in asked
        ]
        files.write_json(requests, described)
        # By its path: it must not import this copy of `ser` before the model brings its own.
        command = [sys.executable, str(answering_process.__file__), model_uri]
        try:
            subprocess.run(
                [*command, str(requests), str(answers)],
                check=True,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                cwd=name,
                env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri},
            )
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
            raise RegistryError(f"{model_uri} cannot be served: {lines[-1]}") from error
        except subprocess.TimeoutExpired as error:
            raise RegistryError(
                f"{model_uri} did not answer {len(asked)} requests in {_TIMEOUT_S} s"
            ) from error
        text = answers.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def compare(
    asked: Sequence[Question], answers: Sequence[Mapping[str, Any]], tracked: pd.DataFrame
) -> Served:
    """Return how the answers differ from what was tracked, and how long they took.

    Args:
        asked: The questions.
        answers: One each.
        tracked: `utterance_id` and `probability_<emotion>`, before the temperature.
    """
    emotions = predictions.emotions_of(tracked)
    expected = tracked.set_index("utterance_id")[[f"probability_{name}" for name in emotions]]
    pairs = list(zip(asked, answers, strict=True))
    plain = {question.utterance_id: a for question, a in pairs if question.change == CLEAN}
    served = np.array(
        [[answer[f"uncalibrated_{name}"] for name in emotions] for answer in plain.values()]
    )
    factors = [answer["seconds"] / question.duration_s for question, answer in pairs]
    return Served(
        num_utterances=len(plain),
        difference=_largest_difference(served, expected.loc[list(plain)].to_numpy()),
        real_time_factor=float(np.median(factors)),
    )


def _largest_difference(served: NDArray[np.float64], tracked: NDArray[np.float64]) -> float:
    """Return the largest difference of a log-probability, in nats.

    A logit's rounding shows in it undiminished; in a probability near 0 or 1 nothing does.
    """
    pair = (log_probabilities(values) for values in (served, tracked))
    return float(np.abs(np.subtract(*pair)).max())
