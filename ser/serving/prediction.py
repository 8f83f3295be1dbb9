"""What is said of a recording and of stretches of it."""

from dataclasses import asdict, dataclass
from typing import Any

from ser.serving.abstention import Reason


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
