import numpy as np
import pytest

from ser.errors import AudioInputError
from ser.serving import windows


@pytest.mark.parametrize("num_samples", [101, 149, 150, 151, 152, 199, 200, 201, 1000])
def test_windows_cover_a_recording_and_the_last_is_no_double(num_samples):
    spans = windows.spread(num_samples, length=100, hop=50)
    assert spans[0][0] == 0
    assert spans[-1][1] == num_samples
    assert {end - start for start, end in spans} == {100}
    hops = np.diff([start for start, _ in spans])
    assert hops.max() <= 50
    assert hops.max() - hops.min() <= 1


def test_a_recording_of_one_window_is_one_window():
    assert windows.spread(100, length=100, hop=50) == [(0, 100)]


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("spans", [[(0, 10), (5, 15), (5, 20), (90, 100)], [(40, 41)]])
def test_samples_of_windows_are_cut_from_blocks_of_any_size(size, spans):
    samples = np.arange(100, dtype=np.float32)
    blocks = (samples[start : start + size] for start in range(0, 100, size))
    found = list(windows.cut(blocks, spans))
    assert [part.tolist() for part in found] == [samples[a:b].tolist() for a, b in spans]


def test_a_recording_that_became_shorter_is_refused():
    with pytest.raises(AudioInputError, match="changes while it is heard"):
        list(windows.cut([np.zeros(10, np.float32)], [(0, 5), (8, 12)]))


def test_windows_out_of_order_are_refused():
    with pytest.raises(ValueError, match="order"):
        list(windows.cut([np.zeros(10, np.float32)], [(5, 8), (0, 3)]))
