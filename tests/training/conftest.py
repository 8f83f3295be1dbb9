import dataclasses

import pytest

from ser.training.fold import FoldData
from tests import synthetic


@pytest.fixture
def utterances():
    return synthetic.corpus(per_speaker=2)


@pytest.fixture
def fold_data(tmp_path, utterances):
    return FoldData(
        synthetic.fold_of(utterances),
        synthetic.feature_store(tmp_path / "mfcc", utterances),
        synthetic.label_of(utterances),
    )


@pytest.fixture
def corrupted(fold_data):
    """The same data, but for the label of every test utterance."""
    labels = {
        id_: (label + 1) % 4 if id_ in fold_data.fold.test else label
        for id_, label in fold_data.label_of.items()
    }
    return dataclasses.replace(fold_data, label_of=labels)


@pytest.fixture
def voted_data(tmp_path):
    """A fold whose utterances have votes, most of which are for the label."""
    utterances = synthetic.corpus(voted=True)
    return FoldData(
        synthetic.fold_of(utterances),
        synthetic.feature_store(tmp_path / "mfcc", utterances),
        synthetic.label_of(utterances),
        share_of=synthetic.share_of(utterances),
    )


@pytest.fixture
def rated_data(tmp_path):
    """A fold whose features tell the emotion, and the emotion the ratings, nearly."""
    utterances = synthetic.corpus(rated=True)
    return FoldData(
        synthetic.fold_of(utterances),
        synthetic.feature_store(tmp_path / "mfcc", utterances),
        synthetic.label_of(utterances),
        synthetic.rating_of(utterances),
    )
