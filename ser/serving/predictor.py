"""A bundle at work: from a waveform to an emotion, its probabilities and their windows.

The way is that of training, step by step: the same extractor, the type of number that the
feature store keeps, the fold's normalisation, the model in evaluation mode.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from ser.batch import FeatureSpec, ModelOutput
from ser.contracts import Extractor, Model
from ser.data import speech_activity
from ser.emotion import DIMENSIONS
from ser.errors import BundleError, translating
from ser.evaluation import temperature
from ser.evaluation.familiarity import Reference, familiarity
from ser.features.dataset import Statistics
from ser.features.extraction import build_extractor
from ser.params import parse
from ser.registry import bundle as bundles
from ser.registry.bundle import Bundle
from ser.serving import abstention, audio_input
from ser.serving.abstention import HeardSpeech, Reason
from ser.serving.audio_input import InputLimits, Waveform
from ser.training.plan import build_loss, build_model


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a stretch of speech.

    Args:
        start_s, end_s: Where it lies in the recording, in seconds.
        emotion: The most probable one; None where the model abstains.
        probabilities: Emotion -> calibrated probability, in sum 1.
        abstained: No emotion is given.
        reason: Why not; None where one is.
        speech_share: Share of its time in which somebody speaks, in [0, 1]; None from a bundle
            that does not listen for speech.
        familiarity: Share of the utterances compared with that are at least as far from
            training, in (0, 1]; None from such a bundle.
    """

    start_s: float
    end_s: float
    emotion: str | None
    probabilities: dict[str, float]
    abstained: bool
    reason: Reason | None
    speech_share: float | None
    familiarity: float | None

    @property
    def most_probable(self) -> str:
        """The most probable emotion, whether it is given or not."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    def as_row(self) -> dict[str, Any]:
        """Return it flat, with a `probability_<emotion>` each, as tables and servers give it."""
        return {
            "start_s": self.start_s,
            "end_s": self.end_s,
            "emotion": self.emotion,
            **{f"probability_{name}": value for name, value in self.probabilities.items()},
            "abstained": self.abstained,
            "reason": self.reason,
            "speech_share": self.speech_share,
            "familiarity": self.familiarity,
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of a recording.

    Args:
        whole: Of all of it: the mean of the windows that are heard as speech like that of
            training; of all with speech, or of all, where there are none.
        windows: One per window, in order; one that equals the whole if it is short.
        uncalibrated: Emotion -> mean probability of the same windows before the temperature,
            which is what predictions.parquet holds.
        distance: Mean distance of the same windows' embeddings from training, which is what
            familiarity ranks; None for a bundle of format 1.
        ratings: Valence, arousal and dominance in points of the scale from 1 to 5, the mean of
            the same windows; None of a model that tells classes alone.
    """

    whole: Answer
    windows: tuple[Answer, ...]
    uncalibrated: dict[str, float]
    distance: float | None = None
    ratings: dict[str, float] | None = None

    @property
    def duration_s(self) -> float:
        """Length of the recording, in seconds."""
        return self.whole.end_s

    def to_json(self) -> dict[str, Any]:
        """Return the answer for the whole, `windows`, and `ratings` if any; JSON-ready."""
        ratings = {} if self.ratings is None else {"ratings": self.ratings}
        windows = [asdict(window) for window in self.windows]
        return {**asdict(self.whole), **ratings, "windows": windows}


def _built(bundle: Bundle, folder: Path) -> tuple[Extractor, Model]:
    """Return the components that a bundle describes; the weights are not in them yet."""
    section = bundle.served["feature"]
    params, plan = bundle.feature_params(folder), bundle.plan()
    say = partial(_not_built, folder)
    with translating(say):
        extractor = build_extractor(section["name"], params, sampling_rate=section["sampling_rate"])
    spec = FeatureSpec(
        extractor=section["name"],
        num_bins=extractor.num_bins,
        params=params.model_dump(mode="json"),
        weights_sha256=extractor.provenance.get("weights_sha256"),
    )
    with translating(say):
        loss = build_loss(plan)
        network = build_model(plan, feature=spec, head=loss.head, num_ratings=loss.num_ratings)
    return extractor, network


def _not_built(folder: Path, error: Exception) -> BundleError:
    """Return what a component means by an error: its params allow values nobody trained with."""
    said = f"{type(error).__name__}: {error}".partition("\n")[0]
    return BundleError(
        f"{folder / bundles.FILE}: describes no model that can be built ({said}); {Bundle.cure}"
    )


def _misfit(folder: Path, error: Exception) -> BundleError:
    """Return what torch or safetensors mean by an error."""
    first = str(error).partition("\n")[0]
    return BundleError(
        f"{folder / bundles.WEIGHTS}: does not fit the params in {bundles.FILE}: {first}; "
        f"it was made by another version of this project: register the cell anew"
    )


class Predictor:
    """Answers for one bundle; made by `load`.

    Args:
        bundle: What it says of itself.
        extractor: Waveform to frames, the frozen prefix.
        statistics: Normalisation of the frames.
        network: Frames to embedding and logits.
        reference: What embeddings are compared with; None for a bundle of format 1.
        device: Where the network is.
    """

    def __init__(
        self,
        bundle: Bundle,
        extractor: Extractor,
        statistics: Statistics,
        network: Model,
        reference: Reference | None,
        device: torch.device,
    ) -> None:
        self.bundle, self.reference, self.device = bundle, reference, device
        self.bundle_sha256 = bundle.sha256
        self.extractor, self.statistics = extractor, statistics
        self.network = network.to(device).eval()
        self.sampling_rate = int(bundle.served["feature"]["sampling_rate"])
        self.logit_scale = build_loss(bundle.plan()).logit_scale
        self.limits = parse(
            bundle.answering.limits, InputLimits, where=f"{bundles.FILE}, answering.limits"
        )

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> Self:
        """Read a bundle and build what it describes.

        Args:
            folder: From `ser.registry.bundle.write`.
            device: Where the network computes, e.g. `cpu` or `cuda`.

        Raises:
            BundleError: Not a whole bundle, one that describes no model, or its weights do not fit
                its params.
            FileError, ParamsError: Its bundle.json is not of the form that is expected.
            WeightsError: It pins a checkpoint that is not on this machine.
        """
        bundle = bundles.read(folder)
        extractor, network = _built(bundle, folder)
        with translating(partial(_misfit, folder)):
            network.load_state_dict(load_file(folder / bundles.WEIGHTS))
        statistics = Statistics.load(folder / bundles.STATISTICS)
        reference = None
        if bundle.hearing is not None:
            reference = Reference.load(folder / bundles.FAMILIARITY)
            # Here, in one thread: its import sets the number of torch's threads for a moment.
            speech_activity.load()
        return cls(bundle, extractor, statistics, network, reference, torch.device(device))

    def logits(self, samples: NDArray[np.float32]) -> Tensor:
        """Return the scaled logits of one stretch of speech `(num_classes,)`, float64.

        Args:
            samples: Mono `(num_samples,)` at the bundle's sampling rate.
        """
        return self._scaled_logits(self._output(samples))

    @torch.inference_mode()
    def _output(self, samples: NDArray[np.float32]) -> ModelOutput:
        frames = self.extractor(samples).astype(self.extractor.dtype, copy=False)
        inputs = torch.from_numpy(self.statistics.apply(frames)).unsqueeze(0).to(self.device)
        output = self.network(inputs, torch.tensor([len(frames)], device=self.device))
        return output.to(torch.device("cpu"))

    def _scaled_logits(self, output: ModelOutput) -> Tensor:
        return output.logits[0].double() * self.logit_scale

    def predict(self, waveform: Waveform) -> Prediction:
        """Return what is heard in a recording.

        Args:
            waveform: From `ser.serving.audio_input`, at any rate.
        """
        samples = audio_input.to_rate(waveform, self.sampling_rate)
        spans = list(self._windows(len(samples)))
        outputs = [self._output(samples[a:b]) for a, b in spans]
        raw = np.stack([self._scaled_logits(output).softmax(0).numpy() for output in outputs])
        calibrated = temperature.scale(raw, self.bundle.answering.temperature)
        times = [(a / self.sampling_rate, b / self.sampling_rate) for a, b in spans]
        distances = self._distances(outputs)
        heard, speech_share = self._heard(waveform, distances, times)
        refusals = [abstention.refusal(window, self.bundle.hearing) for window in heard]
        windows = tuple(
            self._answer(row, time, window, refusal)
            for row, time, window, refusal in zip(calibrated, times, heard, refusals, strict=True)
        )
        speaking = abstention.speaking_windows(refusals)
        known = abstention.mean_familiarity([heard[number] for number in speaking])
        whole = self._answer(
            calibrated[speaking].mean(axis=0),
            (0.0, waveform.duration_s),
            HeardSpeech(speech_share, known),
            refusals[speaking[0]],
        )
        distance = None if distances is None else float(distances[speaking].mean())
        uncalibrated = self._named(raw[speaking].mean(axis=0))
        ratings = _ratings([outputs[number] for number in speaking])
        return Prediction(whole, windows, uncalibrated, distance, ratings)

    def _distances(self, outputs: Sequence[ModelOutput]) -> NDArray[np.float64] | None:
        """Return how far each window's embedding is from training; None in format 1."""
        if self.reference is None:
            return None
        embeddings = torch.cat([output.embedding for output in outputs]).double().numpy()
        return self.reference.gaussians.distances(embeddings)

    def _heard(
        self,
        waveform: Waveform,
        distances: NDArray[np.float64] | None,
        times: Sequence[tuple[float, float]],
    ) -> tuple[list[HeardSpeech], float | None]:
        """Return what is heard in each window, and the share of speech in all of it."""
        if self.reference is None or distances is None:
            return [HeardSpeech()] * len(times), None
        frames = speech_activity.speech_frames(waveform.samples, waveform.sampling_rate)
        ranks = familiarity(distances, self.reference.distances)
        heard = [
            HeardSpeech(speech_activity.share(frames, start_s=start, end_s=end), float(known))
            for (start, end), known in zip(times, ranks, strict=True)
        ]
        return heard, float(frames.mean())

    def _windows(self, num_samples: int) -> Iterator[tuple[int, int]]:
        """Yield first and last sample (excluded) of each window; the last one ends with the end."""
        # A rounded rate change may add a few samples to the longest utterance.
        length = round(self.bundle.answering.window_s * self.sampling_rate) + 16
        if num_samples <= length:
            yield 0, num_samples
            return
        hop = max(1, round(length * (1.0 - self.bundle.answering.overlap)))
        last = num_samples - length
        for start in (*range(0, last, hop), last):
            yield start, start + length

    def _answer(
        self,
        probabilities: NDArray[np.float64],
        time: tuple[float, float],
        heard: HeardSpeech,
        refusal: Reason | None,
    ) -> Answer:
        named = self._named(probabilities)
        emotion = max(named, key=lambda name: named[name])
        if refusal is None and named[emotion] < self.bundle.answering.min_confidence:
            refusal = "unsure"
        return Answer(
            *time,
            emotion=emotion if refusal is None else None,
            probabilities=named,
            abstained=refusal is not None,
            reason=refusal,
            speech_share=heard.speech_share,
            familiarity=heard.familiarity,
        )

    def _named(self, probabilities: Sequence[float] | NDArray[Any]) -> dict[str, float]:
        pairs = zip(self.bundle.emotions, probabilities, strict=True)
        return {emotion: float(value) for emotion, value in pairs}


def _ratings(outputs: Sequence[ModelOutput]) -> dict[str, float] | None:
    """Return the mean rating of windows per dimension, None of a model that does not rate."""
    rated = [output.ratings for output in outputs if output.ratings is not None]
    if not rated:
        return None
    mean = torch.cat(rated).double().mean(dim=0)
    return dict(zip(DIMENSIONS, mean.tolist(), strict=True))
