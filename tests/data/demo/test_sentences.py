"""What the speakers of the demo corpus say."""

import numpy as np

from ser.data.demo import sentences, voice


def test_all_sentences_last_a_few_seconds() -> None:
    rng = np.random.default_rng(0)
    spoken = [*sentences.SCRIPTED, *(sentences.improvise(rng) for _ in range(200))]
    lengths = [len(voice.syllables(text)) for text in spoken]
    assert 5 <= min(lengths) <= max(lengths) <= 14


def test_improvised_sentences_rarely_repeat_and_begin_like_sentences() -> None:
    rng = np.random.default_rng(0)
    spoken = [sentences.improvise(rng) for _ in range(200)]
    assert len(set(spoken)) > 130
    assert all(text[0].isupper() and text.endswith(".") for text in spoken)
