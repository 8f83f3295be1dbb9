import pandas as pd
import pytest

from ser import tables
from ser.errors import FileError

FRAME = pd.DataFrame({"name": ["a", "b"], "uar": [1 / 3, float("nan")], "count": [1, 2]})


def test_a_csv_has_six_digits_and_the_line_ends_of_unix(tmp_path):
    tables.write_csv(tmp_path / "new" / "a.csv", FRAME)
    assert (tmp_path / "new" / "a.csv").read_bytes() == b"name,uar,count\na,0.333333,1\nb,,2\n"
    pd.testing.assert_frame_equal(tables.read_csv(tmp_path / "new" / "a.csv"), FRAME.round(6))


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
