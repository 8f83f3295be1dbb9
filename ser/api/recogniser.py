"""A loaded model as an object that takes recordings in any form and answers with typed results."""

from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ser.api.answers import Recognition, Recognitions, Segments
from ser.errors import AudioInputError, SerError
from ser.params import parse
from ser.registry.identity import task_of
from ser.serving import audio_input, long_recordings
from ser.serving.audio_input import InputLimits, Waveform
from ser.serving.prediction import Answer, Prediction
from ser.serving.predictor import Predictor
from ser.serving.segments import SegmentParams
from ser.serving.sound import Audible, LongFile
from ser.wording import shown

AudioLike = str | PathLike[str] | bytes | NDArray[Any] | tuple[NDArray[Any], int]
"""One recording: a path, the bytes of a file, or samples, alone or in a pair with their rate."""

_RULE = (
    "a recording is a path, the bytes of a WAV, FLAC, OGG or MP3 file, an array of samples with "
    "sampling_rate, or a pair (samples, sampling_rate)"
)
_AXES = "(num_samples,) or (num_channels, num_samples)"


class Recogniser:
    """A loaded model; `ser.load` makes it.

    It keeps no recording.

    Args:
        predictor: Who answers.
        uri: The model's address or folder, as it was found.
        registered: `model_name` and `model_version`; empty where it is not registered.
    """

    def __init__(self, predictor: Predictor, uri: str, registered: Mapping[str, str]) -> None:
        self._predictor, self._uri = predictor, uri
        self._bundle_sha256 = predictor.bundle_sha256
        self._registered = registered

    def __repr__(self) -> str:
        version = f" version {self.version}" if self.version else ""
        synthetic = ", synthetic speech" if self.synthetic else ""
        return f"<Recogniser {self.name}{version}: {', '.join(self.emotions)}{synthetic}>"

    @property
    def uri(self) -> str:
        """Its address or folder; of a champion that was not named the version's address."""
        return self._uri

    @property
    def name(self) -> str:
        """Of the registered model; the cell, `<model>-<loss>`, of a bundle that has none."""
        return self._registered.get("model_name") or self._predictor.bundle.training.cell

    @property
    def version(self) -> str | None:
        """Of the registered model; None where it has none."""
        return self._registered.get("model_version") or None

    @property
    def task(self) -> str:
        """What it recognises: the corpus, and its classes where they are unusual."""
        return task_of(self._predictor.bundle)

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in order."""
        return self._predictor.bundle.emotions

    @property
    def synthetic(self) -> bool:
        """Whether it learnt from synthetic speech. Then it knows no person."""
        return self._predictor.bundle.is_synthetic

    @property
    def sampling_rate(self) -> int:
        """At which it hears, in Hz; recordings of other rates are resampled."""
        return self._predictor.sampling_rate

    @property
    def limits(self) -> InputLimits:
        """What one recording may be: bytes, seconds, channels, rates, level."""
        return self._predictor.limits

    @overload
    def predict(self, audio: list[Any], *, sampling_rate: int | None = None) -> Recognitions: ...
    @overload
    def predict(self, audio: AudioLike, *, sampling_rate: int | None = None) -> Recognition: ...
    def predict(
        self, audio: AudioLike | list[Any], *, sampling_rate: int | None = None
    ) -> Recognition | Recognitions:
        """Say which emotion is heard in a recording, or in each of a list.

        Args:
            audio: A path; the bytes of a WAV, FLAC, OGG or MP3 file; samples `(num_samples,)` or
                `(num_channels, num_samples)`, numbers whose full scale is [-1, 1]; a pair of
                samples and their rate; or a list of these. Channels are averaged.
            sampling_rate: Of samples that are not in a pair, in Hz; None for all else.

        Returns:
            One `Recognition`; of a list `Recognitions`, in its order.

        Raises:
            AudioInputError: A recording cannot be used: missing, damaged, empty, silent, too long
                or too short, NaN, not in [-1, 1], without a rate. In a list its index is named, and
                none is answered: all are decoded first. `ser predict-batch` goes on with the rest.
        """
        if not isinstance(audio, list):
            waveform = _waveform(audio, sampling_rate, self.limits)
            return self._recognition(self._predictor.predict(waveform), _source(audio))
        waveforms = [self._of_list(index, one, sampling_rate) for index, one in enumerate(audio)]
        pairs = zip(waveforms, audio, strict=True)
        return Recognitions(
            self._recognition(self._predictor.predict(wave), _source(one)) for wave, one in pairs
        )

    def segments(
        self, audio: AudioLike, *, sampling_rate: int | None = None, **settings: float
    ) -> Segments:
        """Divide a long recording into segments: one emotion each, none, or no speech.

        Args:
            audio: As of `predict`. A path is read block by block, and may last for hours: `limits`
                bounds neither its bytes nor its seconds.
            sampling_rate: As of `predict`.
            settings: `window_s`, `hop_s`, `switch_cost`, `min_duration_s`, `pause_s`, as those of
                `ser predict --set`: see docs/long-recordings.md.

        Returns:
            The segments; `of` is what is said of the whole.

        Raises:
            AudioInputError: See `predict`.
            ParamsError: A setting is unknown or out of its range.
        """
        params = parse(settings, SegmentParams, where="segments")
        sound: Audible
        if isinstance(audio, str | PathLike) and sampling_rate is None:
            sound = LongFile(Path(audio), self.limits)
        else:
            sound = _waveform(audio, sampling_rate, self.limits)
        heard = long_recordings.hear(self._predictor, sound, params)
        whole = self._recognition(heard.prediction, _source(audio))
        return Segments(heard.segmentation.segments, whole)

    def _of_list(self, index: int, audio: object, sampling_rate: int | None) -> Waveform:
        rate = sampling_rate if hasattr(audio, "__array__") else None
        try:
            return _waveform(audio, rate, self.limits)
        except SerError as error:
            raise AudioInputError(f"recording {index}: {error}") from error

    def _recognition(self, found: Prediction, source: str) -> Recognition:
        whole = {field.name: getattr(found.whole, field.name) for field in fields(Answer)}
        return Recognition(
            **whole,
            windows=found.windows,
            ratings=found.ratings,
            source=source,
            model=self.name,
            version=self.version,
            bundle_sha256=self._bundle_sha256,
            synthetic=self.synthetic,
        )


def _source(audio: object) -> str:
    if isinstance(audio, str | PathLike):
        return str(audio)
    return "bytes" if isinstance(audio, bytes | bytearray | memoryview) else "samples"


def _waveform(audio: object, sampling_rate: object, limits: InputLimits) -> Waveform:
    """Return a recording of any form, decoded and checked."""
    if isinstance(audio, tuple):
        if len(audio) != 2 or sampling_rate is not None:
            raise AudioInputError(f"got a tuple of {len(audio)} and sampling_rate apart; {_RULE}")
        audio, sampling_rate = audio
    if hasattr(audio, "__array__"):
        return _of_samples(np.asarray(audio), sampling_rate, limits)
    if sampling_rate is not None:
        raise AudioInputError(f"sampling_rate belongs to an array of samples; {_RULE}")
    if isinstance(audio, bytes | bytearray | memoryview):
        return audio_input.from_bytes(bytes(audio), limits)
    if isinstance(audio, str | PathLike):
        return audio_input.from_path(Path(audio), limits)
    raise AudioInputError(f"got {shown(audio)}; {_RULE}")


def _of_samples(samples: NDArray[Any], sampling_rate: object, limits: InputLimits) -> Waveform:
    """Return samples, after a look at their axes: the other order is common, too."""
    if sampling_rate is None:
        raise AudioInputError(
            f"an array of shape {samples.shape} has no rate: give sampling_rate=, in Hz"
        )
    if samples.ndim not in (1, 2):
        raise AudioInputError(f"samples of shape {samples.shape}; expected {_AXES}")
    if samples.ndim == 2 and samples.shape[0] > limits.max_channels >= samples.shape[1]:
        raise AudioInputError(
            f"samples of shape {samples.shape}; expected {_AXES}, which is `samples.T` here"
        )
    return audio_input.from_samples(samples, sampling_rate, limits)
