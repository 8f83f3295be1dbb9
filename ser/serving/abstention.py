"""When a bundle gives no emotion, and why: it hears no speech, nothing it knows, or is not sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ser.registry.bundle import Hearing

Reason = Literal["no speech", "unlike anything in training", "unsure"]


@dataclass(frozen=True, slots=True)
class HeardSpeech:
    """What is heard in a stretch of a recording, before anything is said about emotions.

    Args:
        speech_share: Share of its time in which somebody speaks, in [0, 1]; None from a bundle
            that does not listen for speech.
        familiarity: Share of the utterances compared with that are at least as far from
            training, in (0, 1]; None from such a bundle.
    """

    speech_share: float | None = None
    familiarity: float | None = None


def refusal(heard: HeardSpeech, limits: Hearing | None) -> Reason | None:
    """Return why a stretch gets no emotion whatever its probabilities are, or None.

    Args:
        heard: What is heard in it.
        limits: Of the bundle; None: it refuses nothing.
    """
    if limits is None:
        return None
    if heard.speech_share is not None and heard.speech_share < limits.min_speech_share:
        return "no speech"
    if heard.familiarity is not None and heard.familiarity <= limits.min_familiarity:
        return "unlike anything in training"
    return None


def speaking_windows(refusals: Sequence[Reason | None]) -> list[int]:
    """Return the windows that speak for the whole recording.

    Args:
        refusals: Of each window, at least one.

    Returns:
        Their numbers: those that nothing is held against; where there are none, those with
        speech; where there is no speech, all.
    """
    for refused in ({"no speech", "unlike anything in training"}, {"no speech"}):
        kept = [number for number, reason in enumerate(refusals) if reason not in refused]
        if kept:
            return kept
    return list(range(len(refusals)))


def mean_familiarity(heard: Sequence[HeardSpeech]) -> float | None:
    """Return the mean familiarity of windows, None where they have none."""
    known = [window.familiarity for window in heard if window.familiarity is not None]
    return float(np.mean(known)) if known else None
