import pytest

from ser.wording import MAX_SHOWN, meant, shown


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        b"x" * 10**6,
        ["x" * 1000] * 1000,
        {str(i): [i] * 99 for i in range(999)},
        9**9999,
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_value_is_it_takes_less_than_a_line(value):
    assert 0 < len(shown(value)) <= MAX_SHOWN


def test_what_fits_is_shown_whole():
    assert shown({"a": [1, 2.5, None]}) == "{'a': [1, 2.5, None]}"


def test_a_name_that_is_like_none_or_no_text_at_all_means_nothing():
    assert meant("zzz", ["focal"]) == meant(3, ["focal"]) == meant("f" * 10**6, ["focal"]) == ""
