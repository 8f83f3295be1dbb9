"""Ask a served model, in a process of its own, about recordings as they are and changed."""

import base64
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from ser import predictions
from ser.data import audio
from ser.errors import RegistryError
from ser.evaluation import calibration
from ser.promotion import answering_process
from ser.promotion.perturbations import PERTURBATIONS
from ser.registry.gates import Served

#: Utterances that the model is asked, and of these how many in changed form too: enough to
#: see a fault, few enough to wait for.
_NUM_ASKED, _NUM_CHANGED = 200, 40
_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Question:
    """One recording that the model is asked about.

    Args:
        utterance_id: Whose recording.
        change: A name of `PERTURBATIONS`; empty as it is.
        audio: Base64 of its bytes.
        duration_s: Its length, in seconds.
    """

    utterance_id: str
    change: str
    audio: str
    duration_s: float


def questions(ids: Sequence[str], recording_of: Mapping[str, Path]) -> list[Question]:
    """Return what is asked: all of the utterances as they are, some of them changed.

    Args:
        ids: Utterances; more than 200 are sampled, always the same ones.
        recording_of: Utterance id -> its file.
    """
    rng = np.random.default_rng(0)
    order = rng.permutation(sorted(ids))
    asked = [str(id_) for id_ in order[:_NUM_ASKED]]
    found = []
    for number, id_ in enumerate(asked):
        path = recording_of[id_]
        duration_s = float(soundfile.info(path).duration)
        found.append(Question(id_, "", _base64(path.read_bytes()), duration_s))
        if number < _NUM_CHANGED:
            rate = int(soundfile.info(path).samplerate)
            samples = audio.read(path, sampling_rate=rate)
            for name, change in PERTURBATIONS.items():
                content = _wav(*change(samples, rate))
                found.append(Question(id_, name, _base64(content), duration_s))
    return found


def ask(model_uri: str, asked: Sequence[Question], *, tracking_uri: str) -> list[dict[str, Any]]:
    """Return the answers of a served model, in order, each with `seconds`.

    Args:
        model_uri: `models:/<name>/<version>`.
        asked: The questions.
        tracking_uri: The store with the registry.

    Raises:
        RegistryError: The process ended with an error; holds its last line.
    """
    with tempfile.TemporaryDirectory() as name:
        requests, answers = Path(name) / "requests.parquet", Path(name) / "answers.jsonl"
        pd.DataFrame({"audio": [question.audio for question in asked]}).to_parquet(requests)
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
    """Return how the answers differ from what was tracked, and from one another.

    Args:
        asked: The questions.
        answers: One each.
        tracked: `utterance_id` and `probability_<emotion>`, before the temperature.
    """
    emotions = predictions.emotions_of(tracked)
    expected = tracked.set_index("utterance_id")[[f"probability_{name}" for name in emotions]]
    plain = {q.utterance_id: a for q, a in zip(asked, answers, strict=True) if not q.change}
    served = np.array(
        [[answer[f"uncalibrated_{name}"] for name in emotions] for answer in plain.values()]
    )
    same: dict[str, list[bool]] = {name: [] for name in PERTURBATIONS}
    for question, answer in zip(asked, answers, strict=True):
        if question.change:
            # The decision, whether or not it was sure enough to be given.
            pair = (_decision(a, emotions) for a in (answer, plain[question.utterance_id]))
            same[question.change].append(len(set(pair)) == 1)
    factors = [a["seconds"] / q.duration_s for q, a in zip(asked, answers, strict=True)]
    return Served(
        num_utterances=len(plain),
        difference=_largest_difference(served, expected.loc[list(plain)].to_numpy()),
        stability={name: float(np.mean(values)) for name, values in same.items()},
        real_time_factor=float(np.median(factors)),
    )


def _decision(answer: Mapping[str, Any], emotions: Sequence[str]) -> str:
    return max(emotions, key=lambda name: float(answer[f"uncalibrated_{name}"]))


def _largest_difference(served: NDArray[np.float64], tracked: NDArray[np.float64]) -> float:
    """Return the largest difference of a log-probability, in nats.

    A logit's rounding shows in it undiminished; in a probability near 0 or 1 nothing does.
    """
    pair = (calibration.log_probabilities(values) for values in (served, tracked))
    return float(np.abs(np.subtract(*pair)).max())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _wav(samples: Any, sampling_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sampling_rate, format="WAV", subtype="PCM_24")
    return buffer.getvalue()
