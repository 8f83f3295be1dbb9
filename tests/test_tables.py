import csv

import pandas as pd
import pytest

from ser import tables
from ser.errors import FileError

FRAME = pd.DataFrame({"name": ["a", "b"], "uar": [1 / 3, float("nan")], "count": [1, 2]})


def test_a_csv_has_six_digits_and_the_line_ends_of_unix(tmp_path):
    tables.write_csv(tmp_path / "new" / "a.csv", FRAME)
    assert (tmp_path / "new" / "a.csv").read_bytes() == b"name,uar,count\na,0.333333,1\nb,,2\n"
    pd.testing.assert_frame_equal(tables.read_csv(tmp_path / "new" / "a.csv"), FRAME.round(6))


FORMULAS = [
    "=1+1",
    "+1+1",
    "-cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\tx",
    "\uff1d1",
    "'=1",
    "''@a",
]
HARMLESS = ["-6", "+1.5", "-1e-05", "a=b", "'tis", "o'-x", "", "group1"]


def test_no_text_of_a_csv_is_a_formula_and_each_is_read_as_it_was(tmp_path):
    frame = pd.DataFrame({"=speaker": [*FORMULAS, "a"], "uar": [-0.5] * (len(FORMULAS) + 1)})
    tables.write_csv(tmp_path / "a.csv", frame)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=speaker", "uar"]
    assert [text for text, _ in rows] == [*(f"'{text}" for text in FORMULAS), "a"]
    assert {number for _, number in rows} == {"-0.500000"}
    pd.testing.assert_frame_equal(tables.read_csv(tmp_path / "a.csv"), frame)


def test_a_line_end_in_a_text_ends_no_row(tmp_path):
    tables.write_csv(tmp_path / "a.csv", pd.DataFrame({"name": ["a\r=1\nb"], "n": [1]}))
    assert (tmp_path / "a.csv").read_bytes() == b"name,n\na =1 b,1\n"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_formula_stays_as_it_is(text):
    assert tables.guarded(text) == text


@pytest.mark.parametrize("content", [b"", b'a,b\n1,2\n3,4,5\n"', b"\xff\xfe\x00"])
def test_a_damaged_csv_is_named_with_the_cure(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"a\.csv: it is no CSV \((?s:.*)\); count again"):
        tables.read_csv(path, cure="count again")


def test_a_damaged_parquet_is_named_with_the_cure(tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.to_parquet(path)
    pd.testing.assert_frame_equal(tables.read_parquet(path), FRAME)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FileError, match=r"a\.parquet: it is no Parquet \(.*; `dvc repro`"):
        tables.read_parquet(path)


@pytest.mark.parametrize("read", [tables.read_csv, tables.read_parquet])
def test_a_missing_table_is_named_with_the_cure(tmp_path, read):
    with pytest.raises(FileError, match="gone: no such file; `dvc repro` makes it"):
        read(tmp_path / "gone")
