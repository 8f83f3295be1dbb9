import numpy as np
import pytest

from ser.errors import AudioInputError
from ser.serving import sample_table


def table(samples):
    rows = sample_table.rows_of(samples)
    sample_table.length_of(rows)
    return sample_table.table_of(rows)


@pytest.mark.parametrize(
    "samples",
    [
        [[1, 0.5], [0.25, -1]],
        ((1.0, 0.5), (0.25, -1.0)),
        np.array([[1, 0.5], [0.25, -1]], np.float16),
        [np.array([1, 0.5]), [np.float32(0.25), np.int8(-1)]],
        np.array([np.array([1, 0.5]), None], object)[[0, 0]],
    ],
)
def test_channels_become_rows(samples):
    found = table(samples)
    assert found.dtype == np.float64
    assert found.shape == (2, 2)
    assert found[0].tolist() == [1.0, 0.5]


def test_a_list_of_numbers_is_one_channel():
    assert table([1, 0.5, -1]).tolist() == [[1.0, 0.5, -1.0]]
    assert table(np.array([1, 0.5], object)).tolist() == [[1.0, 0.5]]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (None, "got None"),
        (5, "got 5"),
        ("abc", "got 'abc'"),
        ({"a": 1}, "got {'a': 1}"),
        (np.float32(1), "got np.float32\\(1.0\\)"),
        (np.array(1.0), "got an array"),
        ([], "samples holds no numbers"),
        (np.zeros((2, 0)), "channels hold no numbers"),
        ([True, 0.5], "got True at position 0"),
        ([0.5, np.True_], "got np.True_ at position 1"),
        (np.array([True, False]), "got np.True_ at position 0"),
        (["0.1", 0.2], "got '0.1' at position 0"),
        ([0.1, None], "got None at position 1"),
        ([0.1, [0.2]], r"got \[0.2\] at position 1"),
        ([[0.1], 0.2], "got 0.2 among the channels"),
        ([[0.1, 0.2], [0.3]], "of equal length; got channels of 1 to 2 numbers"),
        ([[[0.1]]], r"got \[0.1\] at position 0"),
        (np.zeros((1, 1, 1)), r"got an array \(1,\) of float64 at position 0"),
        (np.array([1j]), r"got np.complex128\(1j\) at position 0"),
        ([10**400], "an integer beyond all floats"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(samples, said):
    with pytest.raises(AudioInputError, match=said):
        table(samples)


@pytest.mark.parametrize("rate", [16000, 16000.0, np.int32(16000), np.float32(16000)])
def test_a_rate_may_be_of_any_kind_of_number(rate):
    found = sample_table.rate_of(rate)
    assert found == 16000
    assert type(found) is int


@pytest.mark.parametrize("rate", [None, "16000", True, np.True_, [16000], 1j])
def test_a_rate_is_a_number(rate):
    with pytest.raises(AudioInputError, match="sampling_rate must be a number, in Hz; got"):
        sample_table.rate_of(rate)


@pytest.mark.parametrize("rate", [0, -1, 0.5, float("nan"), float("inf"), -(10**400)])
def test_a_rate_is_whole_and_above_zero(rate):
    with pytest.raises(AudioInputError, match="must be a whole number above 0"):
        sample_table.rate_of(rate)
