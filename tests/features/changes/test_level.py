import numpy as np
import pytest

from tests.features.changes.voices import changed, power_db, speech


@pytest.mark.parametrize(
    ("copy", "gain_db"), [("gain_-6db", -6.0), ("gain_6db", 6.0), ("gain_1.5db", 1.5)]
)
def test_gain_scales_every_sample_by_its_decibels(copy, gain_db):
    found = changed(copy, speech())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, speech() * 10 ** (gain_db / 20), rtol=1e-6)
    assert power_db(found) - power_db(speech()) == pytest.approx(gain_db, abs=1e-4)


def test_gain_does_not_clip():
    assert np.abs(changed("gain_20db", speech())).max() > 2.0
