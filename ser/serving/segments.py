"""A long recording in segments: who says nothing, where one emotion ends and the next begins."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ser.params import Section
from ser.progress import Progress
from ser.serving import abstention, smoothing, windows
from ser.serving.abstention import HeardSpeech, Reason
from ser.serving.prediction import Answer, Prediction
from ser.serving.predictor import Predictor
from ser.serving.sound import Audible, Survey

#: Of a window where none is asked for, in seconds; less where the model's own is shorter.
_WINDOW_S = 2.0
#: A window in which nobody speaks still says something, where only such windows are.
_MIN_WEIGHT = 1e-3


class SegmentParams(Section):
    """How a long recording becomes segments; chosen on dev speakers, see decision 0039.

    Args:
        window_s: Stretch heard at once, in seconds; longer recordings become segments. None: 2 s
            or the longest utterance that the model was trained on, where that is shorter; and
            what is no longer than that utterance is one segment.
        hop_s: From one window to the next, in seconds, and the grain of all times.
        switch_cost: What a change of emotion must be worth, in nats: e to the power of it is how
            much likelier the other emotion must be, over a window, than the one before and after.
        min_duration_s: No emotion lasts less, in seconds, unless it is alone between two pauses.
        pause_s: Whether somebody speaks is asked of so much time around a moment, in seconds;
            shorter pauses are part of speech.
    """

    window_s: float | None = Field(None, ge=0.1, le=86400.0)
    hop_s: float = Field(0.25, ge=0.02, le=60.0)
    switch_cost: float = Field(1.0, ge=0.0, le=1000.0)
    min_duration_s: float = Field(1.0, ge=0.0, le=3600.0)
    pause_s: float = Field(1.0, ge=0.1, le=60.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.window_s is not None and self.hop_s > self.window_s:
            raise ValueError(
                f"hop_s {self.hop_s:g} must not exceed window_s {self.window_s:g}: what lies "
                f"between two windows would not be heard"
            )
        return self


@dataclass(frozen=True, slots=True)
class EmotionSegment:
    """A stretch of a recording of which one thing is said.

    Args:
        start_s, end_s: Where it lies, in seconds.
        emotion: The most probable one; None where the model abstains or nobody speaks.
        confidence: The probability of the most probable emotion, whether it is given or not;
            None where nobody speaks.
        probabilities: Emotion -> calibrated probability, the mean over its time, in sum 1; None
            where nobody speaks.
        abstained: No emotion is given.
        reason: Why not; None where one is.
        speech_share: Share of its time in which somebody speaks, in [0, 1]; None from a bundle
            that does not listen for speech.
        familiarity: Mean familiarity of the windows over it, in (0, 1]; None from such a bundle,
            and where nobody speaks.
    """

    start_s: float
    end_s: float
    emotion: str | None
    confidence: float | None
    probabilities: dict[str, float] | None
    abstained: bool
    reason: Reason | None
    speech_share: float | None
    familiarity: float | None

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return an answer for a stretch of speech as a segment."""
        given = asdict(answer)
        return cls(**given, confidence=answer.probabilities[answer.most_probable])

    @classmethod
    def without_speech(cls, start_s: float, end_s: float, speech_share: float | None) -> Self:
        """Return a stretch in which nobody speaks."""
        return cls(start_s, end_s, None, None, None, True, "no speech", speech_share, None)

    @property
    def most_probable(self) -> str | None:
        """The most probable emotion, whether it is given or not; None where nobody speaks."""
        shares = self.probabilities
        return None if shares is None else max(shares, key=lambda name: shares[name])

    @property
    def label(self) -> str:
        """What is said of it in one or two words: the emotion, or why there is none."""
        return self.emotion or str(self.reason)

    def as_row(self, emotions: tuple[str, ...]) -> dict[str, Any]:
        """Return it flat, with a `probability_<emotion>` each, null where nobody speaks."""
        shares = self.probabilities or {}
        return {
            "start_s": self.start_s,
            "end_s": self.end_s,
            "emotion": self.emotion,
            "confidence": self.confidence,
            **{f"probability_{name}": shares.get(name) for name in emotions},
            "abstained": self.abstained,
            "reason": self.reason,
            "speech_share": self.speech_share,
            "familiarity": self.familiarity,
        }


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A recording in segments.

    Args:
        segments: In order, without gaps, from the beginning to the end; at least one.
        times: Middles of the frames that they are made of, in seconds, `(num_frames,)`.
        probabilities: Of the emotions in each frame, calibrated, `(num_frames, num_classes)`; NaN
            where nobody speaks.
    """

    segments: tuple[EmotionSegment, ...]
    times: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def segment(
    predictor: Predictor,
    sound: Audible,
    heard: Survey,
    prediction: Prediction,
    params: SegmentParams,
    *,
    progress: Progress = iter,
) -> Segmentation:
    """Divide a recording into segments of one emotion, of none, and of no speech.

    Args:
        predictor: Who answers.
        sound: The recording, at any rate.
        heard: What `predictor.survey` found in it.
        prediction: What `predictor.predict` says of it: all that is said of a short one.
        params: How.
        progress: Wraps the iteration over windows.

    Raises:
        AudioInputError: See `ser.serving.sound.LongFile.blocks`.
    """
    longest_s = predictor.bundle.answering.window_s
    window_s = params.window_s or min(_WINDOW_S, longest_s)
    if heard.duration_s <= (params.window_s or longest_s):
        answer = prediction.whole
        return Segmentation(
            (EmotionSegment.of(answer),),
            np.array([heard.duration_s / 2]),
            np.array([list(answer.probabilities.values())]),
        )
    frames = _Frames(predictor, heard, params)
    if not frames.speaks.any():
        return frames.in_segments(np.full((frames.num, len(predictor.bundle.emotions) + 1), np.nan))
    rate = predictor.sampling_rate
    spans = windows.spread(
        predictor.num_samples(heard), length=round(window_s * rate), hop=round(params.hop_s * rate)
    )
    spans = [span for span in spans if frames.speaks_within(span[0] / rate, span[1] / rate)]
    found = predictor.hear(sound, spans, progress=progress)
    stretches = found.stretches(heard, predictor.reference)
    familiar = [np.nan if one.familiarity is None else one.familiarity for one in stretches]
    shares = [1.0 if one.speech_share is None else one.speech_share for one in stretches]
    means = smoothing.frame_means(
        np.column_stack([found.calibrated, familiar]),
        found.times,
        np.maximum(shares, _MIN_WEIGHT),
        frames.middles,
    )
    return frames.in_segments(means, weight=params.hop_s / window_s)


class _Frames:
    """The frames of a recording, and in which of them somebody speaks.

    Each is one hop long; the last one ends with the recording and has half a hop to one and a half.
    """

    def __init__(self, predictor: Predictor, heard: Survey, params: SegmentParams) -> None:
        self._predictor, self._heard, self._params = predictor, heard, params
        # What is left over is part of the last frame: alone it could be too short to be anything.
        self.num = max(1, round(heard.duration_s / params.hop_s))
        edges = np.append(np.arange(self.num) * params.hop_s, heard.duration_s)
        self.middles = (edges[:-1] + edges[1:]) / 2
        self.speaks = np.array([self._speaks(middle) for middle in self.middles.tolist()])

    def _speaks(self, middle_s: float) -> bool:
        around = self._params.pause_s / 2
        start, end = max(0.0, middle_s - around), min(self._heard.duration_s, middle_s + around)
        stretch = HeardSpeech(self._heard.speech_share(start, end))
        return abstention.refusal(stretch, self._predictor.bundle.hearing) is None

    def speaks_within(self, start_s: float, end_s: float) -> bool:
        """Return whether somebody speaks in the middle of a frame of a stretch."""
        first, end = np.searchsorted(self.middles, [start_s, end_s])
        return bool(self.speaks[first:end].any())

    def in_segments(self, means: NDArray[np.float64], *, weight: float = 1.0) -> Segmentation:
        """Return segments.

        Args:
            means: Probabilities and familiarity of each frame, `(num, num_classes + 1)`.
            weight: Of a frame, see `ser.serving.smoothing.likeliest_path`.
        """
        means = np.where(self.speaks[:, np.newaxis], means, np.nan)
        segments: list[EmotionSegment] = []
        for first, end in smoothing.runs(self.speaks):
            if not self.speaks[first]:
                time = self._time(first, end)
                segments.append(
                    EmotionSegment.without_speech(*time, self._heard.speech_share(*time))
                )
                continue
            for a, b in self._stretches(means[first:end, :-1], weight):
                segments.append(self._segment(means[first + a : first + b], first + a, first + b))
        return Segmentation(tuple(segments), self.middles, means[:, :-1])

    def _stretches(
        self, probabilities: NDArray[np.float64], weight: float
    ) -> Iterator[tuple[int, int]]:
        """Yield the stretches of one emotion in frames of speech without a pause."""
        params = self._params
        path = smoothing.likeliest_path(
            probabilities, weight=weight, switch_cost=params.switch_cost
        )
        min_frames = round(params.min_duration_s / params.hop_s)
        path = smoothing.without_short(path, probabilities, min_frames=min_frames)
        # The mean over a stretch may have another maximum than its path; neighbours then merge.
        while True:
            stretches = smoothing.runs(path)
            named = path.copy()
            for first, end in stretches:
                named[first:end] = probabilities[first:end].mean(axis=0).argmax()
            if len(smoothing.runs(named)) == len(stretches):
                break
            path = named
        yield from stretches

    def _segment(self, means: NDArray[np.float64], first: int, end: int) -> EmotionSegment:
        mean = means.mean(axis=0)
        time = self._time(first, end)
        known = None if np.isnan(mean[-1]) else float(mean[-1])
        stretch = HeardSpeech(self._heard.speech_share(*time), known)
        refusal = abstention.refusal(stretch, self._predictor.bundle.hearing)
        return EmotionSegment.of(self._predictor.answer(mean[:-1], time, stretch, refusal))

    def _time(self, first: int, end: int) -> tuple[float, float]:
        hop = self._params.hop_s
        last = self._heard.duration_s if end == self.num else end * hop
        return first * hop, last
