import pytest

from ser.data import classes
from ser.emotion import EMOTIONS
from ser.errors import CorpusError
from tests import synthetic


def test_a_corpus_with_utterances_of_each_class_passes():
    classes.require_each(EMOTIONS, synthetic.corpus(), corpus="demo")


def test_classes_that_nobody_speaks_are_named_with_what_is_there():
    spoken = [u for u in synthetic.corpus() if u.emotion in ("angry", "neutral")]
    other = synthetic.utterance("x", emotion=None, label="Langeweile")
    with pytest.raises(CorpusError) as refused:
        classes.require_each(EMOTIONS, [*spoken, other], corpus="demo")
    message = str(refused.value)
    count = len(spoken) // 2
    assert "corpus demo: no usable utterance of happy, sad" in message
    assert f"there are: angry {count}, neutral {count}; other labels: 'Langeweile' 1." in message
    assert "Leave out of corpus.emotions" in message


def test_a_corpus_of_nothing_is_refused_in_one_sentence():
    with pytest.raises(CorpusError, match="there are: none of these emotions"):
        classes.require_each(EMOTIONS, [], corpus="demo")


def test_without_classes_ratings_are_asked_for():
    classes.require_each((), synthetic.corpus(rated=True), corpus="demo")
    with pytest.raises(CorpusError, match=r"corpus demo: corpus\.emotions is empty, so ratings of"):
        classes.require_each((), synthetic.corpus(), corpus="demo")
