import pytest

from ser.models import wavlm
from tests.models.support import assert_it_is_what_transformers_says

pytestmark = pytest.mark.numeric


def test_the_untrained_embedding_is_the_mean_of_the_whole_model(tmp_path):
    assert_it_is_what_transformers_says(wavlm, "wavlm", tmp_path)
