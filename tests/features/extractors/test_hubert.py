import pytest

from ser.features.extractors import hubert
from tests.features.extractors.support import assert_it_is_what_transformers_says

pytestmark = pytest.mark.numeric


def test_a_waveform_goes_through_transformers_own_preprocessing_and_model(tmp_path):
    assert_it_is_what_transformers_says(hubert, "hubert", tmp_path)
