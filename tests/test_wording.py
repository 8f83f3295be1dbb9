import numpy as np
import pytest

from ser.wording import MAX_SHOWN, meant, shown, without_password


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        b"x" * 10**6,
        ["x" * 1000] * 1000,
        {str(i): [i] * 99 for i in range(999)},
        9**9999,
        {"x" * 10**6: 1},
        np.zeros((99, 99)),
        np.array([["x" * 10**6]] * 99, object),
        np.float32(1.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_value_is_it_takes_less_than_a_line(value):
    assert 0 < len(shown(value)) <= MAX_SHOWN


def test_what_fits_is_shown_whole():
    assert shown({"a": [1, 2.5, None]}) == "{'a': [1, 2.5, None]}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\nb", r"'a\nb'"),
        (b"bytes", "b'bytes'"),
        (None, "None"),
        (True, "True"),
        (-12, "-12"),
        (1.5, "1.5"),
        pytest.param(10**5000, "a whole number of 16610 bits", id="huge"),
        ([[1] * 10**6], "[[1, 1, 1, 1, ...]]"),
        (dict.fromkeys("dcbahgfe", 0), "{'a': 0, 'b': 0, 'c': 0, 'd': 0, ...}"),
        (np.zeros((99, 2)), "an array (99, 2) of float64"),
        (object(), "object"),
        ([object], "[<class 'object'>]"),
    ],
)
def test_a_value_is_shown_in_one_line_without_an_address(value, said):
    assert shown(value) == said


def test_a_name_that_is_like_none_or_no_text_at_all_means_nothing():
    assert meant("zzz", ["focal"]) == meant(3, ["focal"]) == meant("f" * 10**6, ["focal"]) == ""


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ser:{}@db.example/mlflow",
        "https://ser:{}@mlflow.example",
        "mysql+pymysql://ser:{}@host:3306/studies",
    ],
)
def test_no_address_shows_a_password(address):
    said = without_password(f"store {address.format('s3cr@t')}: no answer")
    assert said == f"store {address.format('***')}: no answer"


@pytest.mark.parametrize("address", ["sqlite:////data/mlflow.db", "http://localhost:5000", "C:/x"])
def test_an_address_without_a_password_stays(address):
    assert without_password(address) == address
