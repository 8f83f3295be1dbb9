"""The frozen prefix of a speech transformer as a feature: computed once, read by every cell.

This file holds all features of the family, see `ser.pretrained.architectures`; the model of
the same name trains the rest.

One utterance at a time and never padded: the group normalisation of the base checkpoints
goes over time, so padding would change their output. An utterance shorter than one frame
sees (25 ms) is filled up with zeros.
"""

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from ser.contracts import Extractor
from ser.errors import ParamsError
from ser.features.extractors._base import ExtractorParams
from ser.pretrained import checkpoints, preprocessing, tensors
from ser.pretrained.architectures import ARCHITECTURES, Architecture
from ser.pretrained.preprocessing import Normalise, Preprocessing
from ser.pretrained.transformer import Context, Prefix, require_layers

NAMES = ("data2vec_audio", "hubert", "wav2vec2", "wavlm", "whisper")


class Params(ExtractorParams):
    """Which checkpoint, and how much of it is frozen.

    Args:
        checkpoint: Hugging Face id, or a folder with config.json and model.safetensors
            (or pytorch_model.bin), in one file or in shards beside their index.
        revision: Commit of the id, 40 hex digits; null for a folder.
        freeze: `feature_encoder` gives the output of the convolutions, a number k >= 1 the
            hidden states after transformer layer k, `all` one frame per utterance: mean
            and standard deviation over time of all hidden states.
        normalise: Whether each waveform is brought to mean 0 and variance 1 before the
            network hears it. `auto` does what the checkpoint's preprocessing file says;
            where none says it, it warns and takes transformers' default, true.
        dtype: Of the frames on disk; `float16` takes half the space.
        device: `auto` takes a GPU where one is; `cpu` never does.
    """

    published: ClassVar[tuple[str, str] | None] = None
    """Checkpoint and revision where params name none; None: they must."""

    checkpoint: str = Field(min_length=1)
    revision: str | None = None
    freeze: Literal["feature_encoder", "all"] | int = "feature_encoder"
    normalise: Normalise = "auto"
    dtype: Literal["float32", "float16"] = "float32"
    device: Literal["auto", "cpu"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _published(cls, content: Any) -> Any:
        # Checkpoint and revision go together: a default revision beside another checkpoint
        # would be of no use.
        if isinstance(content, dict) and "checkpoint" not in content and cls.published:
            checkpoint, revision = cls.published
            return {"checkpoint": checkpoint, "revision": revision, **content}
        return content

    @field_validator("freeze", mode="before")
    @classmethod
    def _known_cut(cls, freeze: Any) -> Any:
        is_number = isinstance(freeze, int) and not isinstance(freeze, bool) and freeze >= 1
        if not is_number and freeze not in ("feature_encoder", "all"):
            raise ValueError("expected feature_encoder, all, or a number of layers >= 1")
        return freeze

    @model_validator(mode="after")
    def _named_well(self) -> "Params":
        problem = checkpoints.problem_of(self.checkpoint, self.revision)
        if problem:
            raise ValueError(problem)
        return self


class WhisperParams(Params):
    """Params of Whisper, which hears thirty seconds at a time.

    Args:
        context: `own` encodes each recording at its own length, `30s` fills it up with
            silence as in Whisper's training: ten times the arithmetic for a recording of
            three seconds. Longer ones are encoded in pieces of 30 s either way.
    """

    context: Context = "own"


class SpeechTransformerExtractor:
    """Waveform -> frames of a frozen prefix.

    Args:
        prefix: The network.
        expected: What it expects of waveforms.
        device: Where it computes.
        dtype: Of the frames on disk.
        provenance: See `ser.contracts.Extractor`.
    """

    def __init__(
        self,
        prefix: Prefix,
        expected: Preprocessing,
        *,
        device: torch.device,
        dtype: str,
        provenance: dict[str, str | None],
    ) -> None:
        self.prefix = prefix.to(device)
        self.is_normalised = expected.is_normalised
        self.device, self.dtype, self.provenance = device, dtype, provenance
        self.num_bins = prefix.num_bins
        # In evaluation mode nothing in the network is written to. Threads on a GPU would
        # only wait for one another.
        self.is_thread_safe = device.type == "cpu"

    @torch.inference_mode()
    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the frames of a waveform `(num_frames, num_bins)`, float32."""
        samples = normalised(waveform) if self.is_normalised else waveform
        frames = self.prefix(torch.from_numpy(np.ascontiguousarray(samples)).to(self.device))
        array: NDArray[np.float32] = frames.cpu().numpy()
        return array


def normalised(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a waveform with zero mean and unit variance, as transformers computes it."""
    scaled = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
    normal: NDArray[np.float32] = scaled.astype(np.float32, copy=False)
    return normal


@cache
def params_class(architecture: Architecture) -> type[Params]:
    """Return the params of one feature, whose published checkpoint is their default."""
    base = WhisperParams if architecture == "whisper" else Params

    class FamilyParams(base):  # type: ignore[valid-type, misc]
        __doc__ = base.__doc__
        published: ClassVar[tuple[str, str] | None] = ARCHITECTURES[architecture].published

    return FamilyParams


def build(architecture: Architecture, params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor of an architecture.

    Args:
        architecture: What the checkpoint must be.
        params: Which checkpoint, and how much of it.
        sampling_rate: Of the waveforms, in Hz.

    Raises:
        WeightsError: The checkpoint is not here, damaged or of another architecture.
        ParamsError: It was trained at another sampling rate, or has too few layers.
    """
    folder, expected = _found(architecture, params, sampling_rate)
    use_gpu = params.device == "auto" and torch.cuda.is_available()
    return SpeechTransformerExtractor(
        Prefix(
            checkpoints.load(folder, architecture),
            params.freeze,
            params.context if isinstance(params, WhisperParams) else "own",
        ),
        expected,
        device=torch.device("cuda" if use_gpu else "cpu"),
        dtype=params.dtype,
        provenance={
            "checkpoint": params.checkpoint,
            "revision": params.revision,
            "weights_sha256": checkpoints.digest(folder),
        },
    )


def inspect_weights(architecture: Architecture, params: Params, *, sampling_rate: int) -> str:
    """Look at a checkpoint without loading it; see `ser.components.Component`.

    Args:
        architecture: What the checkpoint must be.
        params: Which checkpoint, and how much of it.
        sampling_rate: Of the waveforms, in Hz.

    Returns:
        Which one was found.

    Raises:
        WeightsError, FileError, ParamsError: As `build`.
    """
    folder, _ = _found(architecture, params, sampling_rate)
    config = checkpoints.read_config(folder, architecture)
    is_known = tensors.require(folder, architecture, config)
    num_layers = checkpoints.read_sizes(folder, architecture).num_layers
    require_layers(params.freeze, num_layers, params.checkpoint)
    name = checkpoints.title(params.checkpoint, params.revision)
    return name if is_known else f"{name}; which tensors it holds is seen when it is loaded"


def _found(
    architecture: Architecture, params: Params, sampling_rate: int
) -> tuple[Path, Preprocessing]:
    """Return a checkpoint's folder, and how waveforms of this rate are prepared for it."""
    folder = checkpoints.locate(params.checkpoint, params.revision)
    expected = preprocessing.read(folder, architecture, normalise=params.normalise)
    if sampling_rate != expected.sampling_rate:
        raise ParamsError(
            f"audio.sampling_rate is {sampling_rate}, but features.{architecture} needs "
            f"{expected.sampling_rate}: its checkpoint {params.checkpoint} was trained so"
        )
    return folder, expected
