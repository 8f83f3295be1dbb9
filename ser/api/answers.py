"""What a program gets: one typed answer per recording, and tables of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ser.serving.prediction import Answer
from ser.serving.segments import EmotionSegment

if TYPE_CHECKING:
    import pandas as pd

#: Of a table of answers; between them stand the probabilities. A column without a value keeps its
#: type, so that tables of several calls fit together.
_BEFORE = {"source": "str", "start_s": "float64", "end_s": "float64", "emotion": "str"}
_AFTER = {
    "abstained": "bool",
    "reason": "str",
    "speech_share": "float64",
    "familiarity": "float64",
    "model": "str",
    "version": "str",
    "bundle_sha256": "str",
    "synthetic": "bool",
}


@dataclass(frozen=True, slots=True)
class Recognition(Answer):
    """What is said of one recording; the first fields are those of `Answer`, of all of it.

    Args:
        windows: One answer per stretch that was heard at once, in order; one that equals the
            whole if the recording is short.
        ratings: Valence, arousal and dominance, in points of the scale from 1 to 5; None of a
            model that tells classes alone.
        source: The path as it was given; `bytes` or `samples` where there was none.
        model: The registered model, or the cell (`<model>-<loss>`) of a bundle without a name.
        version: Of the registered model; None where it has none.
        bundle_sha256: Digest of all that answered.
        synthetic: Whether the model learnt from synthetic speech. Then it knows no person.
    """

    windows: tuple[Answer, ...]
    ratings: dict[str, float] | None
    source: str
    model: str
    version: str | None
    bundle_sha256: str
    synthetic: bool

    @property
    def duration_s(self) -> float:
        """Length of the recording, in seconds."""
        return self.end_s

    def to_frame(self, *, windows: bool = False) -> "pd.DataFrame":
        """Return the answer as a table of one row; see `Recognitions.to_frame`."""
        return Recognitions([self]).to_frame(windows=windows)


class Recognitions(tuple[Recognition, ...]):
    """The answers for a list of recordings, in its order."""

    __slots__ = ()

    def to_frame(self, *, windows: bool = False) -> "pd.DataFrame":
        """Return the answers as a table.

        Args:
            windows: One row per window in place of one per recording.

        Returns:
            Columns `source, start_s, end_s` (seconds)`, emotion` (null where none is given)`,
            probability_<emotion>` (calibrated, in [0, 1])`, abstained, reason, speech_share,
            familiarity, model, version, bundle_sha256, synthetic`; per recording of a model that
            rates also `valence, arousal, dominance`, last.
        """
        rows = [
            _row(answer, one) for one in self for answer in (one.windows if windows else (one,))
        ]
        emotions = self[0].probabilities if self else ()
        shares = {f"probability_{emotion}": "float64" for emotion in emotions}
        rated = () if windows or not self else self[0].ratings or ()
        types = {**_BEFORE, **shares, **_AFTER, **dict.fromkeys(rated, "float64")}
        # Here, not at the top: most answers are asked for no table, whose import takes its time.
        import pandas as pd

        return pd.DataFrame(rows, columns=list(types)).astype(types)


def _row(answer: Answer, of: Recognition) -> dict[str, Any]:
    return {"source": of.source, **answer.as_row(), **_who(of), **(of.ratings or {})}


def _who(of: Recognition) -> dict[str, Any]:
    """Return who answered."""
    return {
        "model": of.model,
        "version": of.version,
        "bundle_sha256": of.bundle_sha256,
        "synthetic": of.synthetic,
    }


class Segments(tuple[EmotionSegment, ...]):
    """A recording in segments: in order, without gaps, from its beginning to its end.

    Args:
        found: The segments.
        of: What is said of the whole.
    """

    of: Recognition

    def __new__(cls, found: Iterable[EmotionSegment], of: Recognition) -> Self:
        """Return the segments of a recording."""
        made = super().__new__(cls, found)
        made.of = of
        return made

    def to_frame(self) -> "pd.DataFrame":
        """Return the segments as a table of one row each.

        Returns:
            Columns `source, start_s, end_s` (seconds)`, emotion` (null where none is given)`,
            confidence, probability_<emotion>` (calibrated, in [0, 1]; null where nobody speaks)`,
            abstained, reason, speech_share, familiarity, model, version, bundle_sha256,
            synthetic`.
        """
        emotions = tuple(self.of.probabilities)
        shares = {f"probability_{emotion}": "float64" for emotion in emotions}
        types = {**_BEFORE, "confidence": "float64", **shares, **_AFTER}
        rows = [{"source": self.of.source, **one.as_row(emotions), **_who(self.of)} for one in self]
        import pandas as pd

        return pd.DataFrame(rows, columns=list(types)).astype(types)
