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
