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


@pytest.mark.parametrize("below_db", [6, 12.5])
def test_clipping_cuts_at_its_distance_from_the_peak_and_leaves_the_rest(below_db):
    waveform = speech()
    found = changed(f"clip_{below_db:g}db", waveform)
    limit = np.abs(waveform).max() * 10 ** (-below_db / 20)
    assert found.dtype == np.float32
    assert np.abs(found).max() == pytest.approx(limit, rel=1e-6)
    quiet = np.abs(waveform) < limit * 0.999
    assert 0 < np.count_nonzero(~quiet) < len(waveform) / 2
    np.testing.assert_array_equal(found[quiet], waveform[quiet])


def test_clipping_leaves_silence():
    assert not changed("clip_6db", np.zeros(100, np.float32)).any()
