"""A bundle at work: from a waveform to an emotion, its probabilities and their windows.

The way is that of training, step by step: the same extractor, the type of number that the
feature store keeps, the fold's normalisation, the model in evaluation mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from ser.data import hearing, speech_activity
from ser.emotion import DIMENSIONS
from ser.errors import BundleError, translating
from ser.evaluation import temperature
from ser.evaluation.familiarity import Reference, familiarity
from ser.features.dataset import Statistics
from ser.features.extraction import build_extractor
from ser.params import parse
from ser.progress import Progress
from ser.registry import bundle as bundles
from ser.registry.bundle import Bundle
from ser.serving import abstention, windows
from ser.serving import sound as sounds
from ser.serving.abstention import HeardSpeech, Reason
from ser.serving.audio_input import InputLimits
from ser.serving.prediction import Answer, Prediction
from ser.serving.sound import Audible, Survey
from ser.serving.windows import Span
from ser.training.plan import build_loss, build_model


@dataclass(frozen=True, slots=True)
class HeardWindows:
    """What a network says of windows of a recording.

    Args:
        times: Where each begins and ends, in seconds.
        raw: Probabilities before the temperature, `(num_windows, num_classes)`.
        calibrated: The same after it.
        distances: Of each embedding from training, `(num_windows,)`; None for a bundle of format 1.
        ratings: In points of the scale from 1 to 5, `(num_windows, 3)`; None of a model that tells
            classes alone.
    """

    times: Sequence[tuple[float, float]]
    raw: NDArray[np.float64]
    calibrated: NDArray[np.float64]
    distances: NDArray[np.float64] | None
    ratings: NDArray[np.float64] | None

    def stretches(self, heard: Survey, reference: Reference | None) -> list[HeardSpeech]:
        """Return what is heard in each window, before anything is said about emotions.

        Args:
            heard: The recording that they are of.
            reference: What embeddings are compared with; None for a bundle of format 1.
        """
        if reference is None or self.distances is None:
            return [HeardSpeech()] * len(self.times)
        ranks = familiarity(self.distances, reference.distances)
        return [
            HeardSpeech(heard.speech_share(*time), float(rank))
            for time, rank in zip(self.times, ranks, strict=True)
        ]


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

    def predict(
        self, sound: Audible, heard: Survey | None = None, *, progress: Progress = iter
    ) -> Prediction:
        """Return what is heard in a recording.

        Args:
            sound: A recording at any rate: a `Waveform`, or a `LongFile` of any length.
            heard: What `self.survey` found in it; None: it is surveyed first.
            progress: Wraps the iteration over windows.

        Raises:
            AudioInputError: See `ser.serving.sound.LongFile.blocks`.
        """
        if heard is None:
            heard = self.survey(sound)
        # A rounded rate change may add a few samples to the longest utterance.
        length = round(self.bundle.answering.window_s * self.sampling_rate) + 16
        hop = max(1, round(length * (1.0 - self.bundle.answering.overlap)))
        spans = windows.spread(self.num_samples(heard), length=length, hop=hop)
        found = self.hear(sound, spans, progress=progress)
        stretches = found.stretches(heard, self.reference)
        refusals = [abstention.refusal(stretch, self.bundle.hearing) for stretch in stretches]
        answers = tuple(
            self.answer(row, time, stretch, refusal)
            for row, time, stretch, refusal in zip(
                found.calibrated, found.times, stretches, refusals, strict=True
            )
        )
        speaking = abstention.speaking_windows(refusals)
        known = abstention.mean_familiarity([stretches[number] for number in speaking])
        end_s = heard.duration_s
        share = None if self.reference is None else heard.speech_share(0.0, end_s)
        whole = self.answer(
            found.calibrated[speaking].mean(axis=0),
            (0.0, end_s),
            HeardSpeech(share, known),
            refusals[speaking[0]],
        )
        distance = None if found.distances is None else float(found.distances[speaking].mean())
        uncalibrated = self.named(found.raw[speaking].mean(axis=0))
        ratings = None if found.ratings is None else found.ratings[speaking].mean(axis=0)
        return Prediction(whole, answers, uncalibrated, distance, _named_ratings(ratings))

    def survey(self, sound: Audible, *, progress: Progress = iter) -> Survey:
        """Hear a recording to its end, before the network does; see `ser.serving.sound.survey`."""
        return sounds.survey(sound, listens=self.reference is not None, progress=progress)

    def num_samples(self, heard: Survey) -> int:
        """Return how many samples a recording has at the bundle's rate."""
        return hearing.num_at_rate(
            heard.num_samples, heard.sampling_rate, wanted=self.sampling_rate
        )

    def hear(
        self, sound: Audible, spans: Sequence[Span], *, progress: Progress = iter
    ) -> HeardWindows:
        """Ask the network about windows of a recording, one after another.

        Args:
            sound: The recording, at any rate.
            spans: At least one window, in samples at the bundle's rate, in order.
            progress: Wraps the iteration over windows.
        """
        blocks = hearing.blocks_at_rate(
            sound.blocks(), sound.sampling_rate, wanted=self.sampling_rate
        )
        stretches = zip(progress(spans), windows.cut(blocks, spans), strict=False)
        outputs = [self._output(samples) for _, samples in stretches]
        raw = np.stack([self._scaled_logits(output).softmax(0).numpy() for output in outputs])
        return HeardWindows(
            times=[(a / self.sampling_rate, b / self.sampling_rate) for a, b in spans],
            raw=raw,
            calibrated=temperature.scale(raw, self.bundle.answering.temperature),
            distances=self._distances(outputs),
            ratings=_ratings(outputs),
        )

    def _distances(self, outputs: Sequence[ModelOutput]) -> NDArray[np.float64] | None:
        """Return how far each window's embedding is from training; None in format 1."""
        if self.reference is None:
            return None
        embeddings = torch.cat([output.embedding for output in outputs]).double().numpy()
        return self.reference.gaussians.distances(embeddings)

    def answer(
        self,
        probabilities: NDArray[np.float64],
        time: tuple[float, float],
        heard: HeardSpeech,
        refusal: Reason | None,
    ) -> Answer:
        """Return what is said of a stretch of speech.

        Args:
            probabilities: Calibrated `(num_classes,)`.
            time: Where it begins and ends, in seconds.
            heard: What is heard in it.
            refusal: Why it gets no emotion whatever its probabilities are.
        """
        named = self.named(probabilities)
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

    def named(self, probabilities: Sequence[float] | NDArray[Any]) -> dict[str, float]:
        """Return numbers `(num_classes,)` by their emotions."""
        pairs = zip(self.bundle.emotions, probabilities, strict=True)
        return {emotion: float(value) for emotion, value in pairs}


def _ratings(outputs: Sequence[ModelOutput]) -> NDArray[np.float64] | None:
    """Return the ratings of windows `(num_windows, 3)`, None of a model that does not rate."""
    rated = [output.ratings for output in outputs if output.ratings is not None]
    return torch.cat(rated).double().numpy() if rated else None


def _named_ratings(ratings: NDArray[np.float64] | None) -> dict[str, float] | None:
    if ratings is None:
        return None
    return dict(zip(DIMENSIONS, ratings.tolist(), strict=True))
