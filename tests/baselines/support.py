"""Folds and inputs of a tiny corpus, for the baselines."""

import numpy as np

from ser.baselines.cross_validation import Task
from ser.data import splits
from ser.data.protocols import SplitParams
from ser.emotion import EMOTIONS
from tests import synthetic


def folds_of(utterances):
    return splits.split(utterances, SplitParams())


def noisy_inputs(utterances, *, label_of, strength=1.0, num_inputs=8, seed=0):
    """Noise, whose mean says the label a little."""
    rng = np.random.default_rng(seed)
    names = sorted(set(label_of.values()))
    inputs = {}
    for utterance in utterances:
        values = rng.normal(size=num_inputs)
        values[names.index(label_of[utterance.id])] += strength
        inputs[utterance.id] = values
    return inputs


def emotion_task(utterances, **noise):
    label_of = {u.id: u.emotion for u in utterances}
    inputs = noisy_inputs(utterances, label_of=label_of, **noise)
    return Task(inputs, label_of, {u.id: u.speaker for u in utterances}, EMOTIONS)


def corpus(**sizes):
    """Five sessions; neutral is the commonest emotion everywhere."""
    utterances = synthetic.corpus(**{"num_sessions": 5, "per_speaker": 3, **sizes})
    more = [
        synthetic.utterance(
            f"{u.id}_again", speaker=u.speaker, session=u.session, emotion=u.emotion
        )
        for u in utterances
        if u.emotion == "neutral"
    ]
    return sorted([*utterances, *more], key=lambda u: u.id)
