"""A bundle as an MLflow model: loaded from code, never from a pickle.

MLflow's scoring server answers 4xx for `MlflowException`s of the right code; what is wrong
with a request is therefore raised as `RequestRefused`.
"""

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Object,
    Property,
    Schema,
    TensorSpec,
)

from ser import lineage
from ser.errors import SerError, TrackingError, translating
from ser.registry.bundle import Bundle
from ser.registry.identity import identity_of, registered_as
from ser.serving import long_recordings, observing, request_log
from ser.serving.audio_input import Waveform
from ser.serving.long_recordings import HeardRecording
from ser.serving.prediction import Prediction
from ser.serving.predictor import Predictor
from ser.serving.request import BARE, COLUMNS, is_bare, read_bare, read_rows, rows_of
from ser.serving.request_log import RequestLog
from ser.serving.segments import SegmentParams
from ser.wording import without_password

#: What the served model imports; pinned to the versions it was logged with.
_REQUIREMENTS = (
    *("accelerate", "mlflow", "numpy", "onnxruntime", "pandas", "pydantic", "pyyaml"),
    *("safetensors", "scipy", "silero-vad", "soundfile", "soxr", "torch", "torchaudio"),
    "transformers",
)

PACKAGE = "ser.zip"
"""Name of the package in the folder of code of a model."""

MODEL_CARD = "model_card.md"
"""Name of the artifact, in the run of a registration or of a decision."""

#: Fields of an answer that are null: an emotion that is not given, a reason where one is, and
#: what a bundle of format 1 does not hear.
_MAY_BE_NULL = ("emotion", "reason", "speech_share", "familiarity")

#: Folder whose recordings may be named by path in a request; unset: none may.
ALLOWED_FOLDER = "SER_SERVING_FOLDER"


class RequestRefused(MlflowException):
    """A request that cannot be answered, as the server says it: 400 and one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, error_code=INVALID_PARAMETER_VALUE)
        self.reason = reason

    def serialize_as_json(self) -> str:
        """Return the body of the answer, without the echo of the request that MLflow adds."""
        return json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": self.reason})


class ServedModel(PythonModel):
    """Answers requests for one bundle; see `signature` for what goes in and out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the bundle, and under which name and version it is registered."""
        folder = Path(context.artifacts["bundle"])
        self.predictor = Predictor.load(folder)
        self.registered = registered_as(folder)
        self.log = RequestLog.from_environment()
        #: Is told of every answer, and of the seconds that it took.
        self.on_answer: Callable[[Prediction, float], None] | None = None

    def predict(
        self,
        context: PythonModelContext | None,  # noqa: ARG002 (MLflow's signature)
        model_input: pd.DataFrame,
        params: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return one answer per row; a row that cannot be answered refuses the request.

        A status belongs to a request, so there is no answer to half of one.

        Raises:
            RequestRefused: Names the row and what is wrong with it.
        """
        try:
            answered = self.answer(self._heard(model_input))
        except SerError as error:
            raise RequestRefused(str(error)) from error
        # As objects: pandas would make NaN of null, and JSON has no such number.
        return pd.DataFrame([self._answered(one) for one in answered], dtype=object)

    def answer(self, waveforms: Sequence[Waveform]) -> list[Prediction]:
        """Return what is heard in the recordings of a request, and keep account of it."""
        answered: list[Prediction] = []
        seconds: list[float] = []
        for waveform in waveforms:
            began = time.perf_counter()
            answered.append(self.predictor.predict(waveform))
            seconds.append(time.perf_counter() - began)
        self._keep_account(answered, waveforms, seconds)
        return answered

    def follow(self, waveform: Waveform) -> HeardRecording:
        """Return what is heard in a recording and in its segments, and keep account of it."""
        began = time.perf_counter()
        heard = long_recordings.hear(self.predictor, waveform, SegmentParams())
        self._keep_account([heard.prediction], [waveform], [time.perf_counter() - began])
        return heard

    def _keep_account(
        self,
        answered: Sequence[Prediction],
        waveforms: Sequence[Waveform],
        seconds: Sequence[float],
    ) -> None:
        if self.log is not None:
            self._write_log(self.log, list(zip(answered, waveforms, strict=True)))
        if self.on_answer is not None:
            for prediction, taken in zip(answered, seconds, strict=True):
                self.on_answer(prediction, taken)

    def _heard(self, model_input: pd.DataFrame) -> list[Waveform]:
        """Return the recordings of a request, or those that a program names."""
        limits = self.predictor.limits
        if is_bare(model_input):
            return read_bare(model_input, limits)
        allowed = os.environ.get(ALLOWED_FOLDER)
        folder = Path(allowed) if allowed else None
        return read_rows(rows_of(model_input), limits, folder=folder)

    def _write_log(self, log: RequestLog, answered: Sequence[tuple[Prediction, Waveform]]) -> None:
        origin = {**self._name(), "bundle_sha256": self.predictor.bundle_sha256}
        rate = self.predictor.sampling_rate
        log.append(
            [
                request_log.line_of(
                    prediction,
                    observing.of_prediction(prediction, waveform, rate),
                    origin=origin,
                )
                for prediction, waveform in answered
            ]
        )

    @property
    def identity(self) -> dict[str, Any]:
        """Who answers, see `ser.registry.identity`."""
        bundle = self.predictor.bundle
        return {
            **identity_of(bundle, self.registered),
            "bundle_sha256": self.predictor.bundle_sha256,
            "synthetic": bundle.is_synthetic,
        }

    def _name(self) -> dict[str, str]:
        return {
            "model": self.registered.get("model_name") or self.predictor.bundle.training.cell,
            "version": str(self.registered.get("model_version") or ""),
        }

    def _answered(self, prediction: Prediction) -> dict[str, Any]:
        bundle = self.predictor.bundle
        return {
            **prediction.whole.as_row(),
            **{f"uncalibrated_{n}": value for n, value in prediction.uncalibrated.items()},
            "windows": [window.as_row() for window in prediction.windows],
            **self._name(),
            "run_key": bundle.training.run_key,
            "synthetic": bundle.is_synthetic,
        }


def signature(bundle: Bundle) -> ModelSignature:
    """Return what goes in and out, as MLflow shows and the server documents it.

    The inputs are of any type here: what they must be is checked, and said in one sentence,
    by `ser.serving.request`; MLflow's own check would answer some of them with a 500.
    """
    anything = AnyType()  # type: ignore[no-untyped-call]
    inputs = Schema(
        [
            # MLflow keeps no column that the signature does not name, so this one has its number.
            ColSpec(anything, BARE, required=False),  # type: ignore[arg-type]
            *(ColSpec(anything, name, required=False) for name in COLUMNS),
        ]
    )
    numbers = ["start_s", "end_s", *(f"probability_{name}" for name in bundle.emotions)]
    answer = {
        **dict.fromkeys(numbers[:2], DataType.double),
        "emotion": DataType.string,
        **dict.fromkeys(numbers[2:], DataType.double),
        "abstained": DataType.boolean,
        "reason": DataType.string,
        "speech_share": DataType.double,
        "familiarity": DataType.double,
    }
    window = Object([Property(n, kind, n not in _MAY_BE_NULL) for n, kind in answer.items()])
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind, name, name not in _MAY_BE_NULL) for name, kind in answer.items()
    ]
    outputs += [ColSpec(DataType.double, f"uncalibrated_{name}") for name in bundle.emotions]
    outputs.append(ColSpec(Array(window), "windows"))
    outputs += [ColSpec(DataType.string, name) for name in ("model", "version", "run_key")]
    outputs.append(ColSpec(DataType.boolean, "synthetic"))
    return ModelSignature(inputs=inputs, outputs=Schema(outputs))


def input_example(sampling_rate: int) -> pd.DataFrame:
    """Return a request: a fifth of a second of a 220 Hz tone, synthetic."""
    seconds = np.arange(sampling_rate // 5) / sampling_rate
    tone = (0.1 * np.sin(2 * np.pi * 220 * seconds)).round(4)
    return pd.DataFrame([{"samples": tone.tolist(), "sampling_rate": sampling_rate}])


def log(
    folder: Path, bundle: Bundle, *, run_id: str, tracking_uri: str, model_card: str, root: Path
) -> ModelInfo:
    """Log a bundle as a model of a run.

    Args:
        folder: The bundle.
        bundle: Its description.
        run_id: MLflow's id of the run that it belongs to.
        tracking_uri: The store of that run.
        model_card: The model card, Markdown; kept beside the bundle.
        root: The project's root: its package `ser` travels with the model, so that it is
            served by the code that it was judged with.

    Returns:
        MLflow's record of the model; `model_uri` names it.

    Raises:
        TrackingError: The store does not take it.
    """
    described = {
        "input_example": input_example(int(bundle.served["feature"]["sampling_rate"])),
        "metadata": {
            "bundle_sha256": bundle.sha256,
            "synthetic": bundle.is_synthetic,
            "weights": bundle.training.described,
        },
    }
    mlflow.set_tracking_uri(tracking_uri)
    with (
        translating(partial(_not_taken, tracking_uri)),
        _active(run_id),
        warnings.catch_warnings(),
        _loaded_from(folder, bundle, root) as parts,
    ):
        # Of MLflow's own use of pandas and of its own types; nothing of it is ours to mend.
        warnings.simplefilter("ignore")
        mlflow.log_text(model_card, MODEL_CARD)
        info: ModelInfo = mlflow.pyfunc.log_model(
            name="model", **parts, **described, model_type="speech-emotion-recognition"
        )
    return info


def _not_taken(uri: str, error: Exception) -> TrackingError:
    """Return what MLflow, or whatever keeps its artifacts, means by an error."""
    first = str(error).partition("\n")[0]
    return TrackingError(
        without_password(f"tracking store {uri}: it does not take the model: {first}")
    )


@contextmanager
def _active(run_id: str) -> Iterator[None]:
    """Make a run MLflow's active one; whoever opened it closes it.

    Left to itself MLflow would say here that it is finished, while its files are not yet pinned.
    """
    mlflow.start_run(run_id=run_id)
    try:
        yield
    finally:
        mlflow.end_run("RUNNING")


def save(folder: Path, bundle: Bundle, path: Path, *, root: Path) -> None:
    """Write a bundle as a model that MLflow can load, into a folder and no store.

    Args:
        folder: The bundle.
        bundle: Its description.
        path: Where the model shall be; not there yet.
        root: The project's root, see `log`.
    """
    with warnings.catch_warnings(), _loaded_from(folder, bundle, root) as parts:
        warnings.simplefilter("ignore")  # as in `log`
        mlflow.pyfunc.save_model(path, **parts)


@contextmanager
def _loaded_from(folder: Path, bundle: Bundle, root: Path) -> Iterator[dict[str, Any]]:
    """Give what MLflow is told so that it can load a bundle again; it takes copies of the files."""
    versions = lineage.package_versions(_REQUIREMENTS)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / PACKAGE
        write_package(root, archive)
        yield {
            "python_model": str(Path(__file__).with_name("_model_code.py")),
            "artifacts": {"bundle": str(folder)},
            "code_paths": [str(archive)],
            "signature": signature(bundle),
            "pip_requirements": [f"{name}=={version}" for name, version in versions.items()],
        }


def write_package(root: Path, archive: Path) -> None:
    """Write the package as one file, from which Python imports: a store takes a request for each.

    The same sources make the same bytes, wherever they lie and however old they are; they are not
    compressed, which every machine's zlib does in its own way.

    Args:
        root: The project's root.
        archive: The file.
    """
    with ZipFile(archive, "w") as writer:
        for name in lineage.file_digests(root, ["ser"]):
            writer.writestr(ZipInfo(name), (root / name).read_bytes())
