"""Tables of what might have been heard."""

import numpy as np
import pandas as pd

from ser.emotion import EMOTIONS
from ser.monitoring import reference


def heard(num_speakers=8, per_speaker=25, *, seed=0, level=-20.0, hz=7000.0, emotion=None):
    """Recordings of speakers who differ; with their speakers."""
    rng = np.random.default_rng(seed)
    size = (num_speakers, per_speaker)

    def drawn(between, within):
        return (
            between * rng.normal(size=(num_speakers, 1)) + within * rng.normal(size=size)
        ).ravel()

    frame = pd.DataFrame(
        {
            "duration_s": np.exp(drawn(0.1, 0.3)),
            "level_dbfs": level + drawn(1.0, 2.0),
            "rolloff_hz": hz * np.exp(drawn(0.02, 0.05)),
            "emotion": rng.choice(EMOTIONS, size=num_speakers * per_speaker),
        }
    )
    if emotion is not None:
        frame["emotion"] = emotion
    return frame, [f"speaker {n // per_speaker}" for n in range(len(frame))]


def reference_of(**options):
    frame, speakers = heard(**options)
    return reference.build(frame, speakers, emotions=EMOTIONS, source="simulated speech")
