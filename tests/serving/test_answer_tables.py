import json

import numpy as np
import pandas as pd
import pytest

from ser.errors import FileError
from ser.serving import answer_tables

TABLE = pd.DataFrame(
    {
        "path": ["a", "b"],
        "p": [0.5, np.nan],
        "reason": [None, "no"],
        "windows": ['[{"a": 1}]', None],
    }
)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl", ".CSV"])
def test_the_ending_says_what_is_written(tmp_path, ending):
    path = tmp_path / f"table{ending}"
    answer_tables.write(path, TABLE)
    assert answer_tables.columns_of(path) == set(TABLE.columns)


def test_json_holds_lists_and_nulls(tmp_path):
    answer_tables.write(tmp_path / "a.jsonl", TABLE)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows == [
        {"path": "a", "p": 0.5, "reason": None, "windows": [{"a": 1}]},
        {"path": "b", "p": None, "reason": "no", "windows": None},
    ]


def test_other_endings_are_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(FileError, match=r"a\.xlsx: .* \.parquet, \.csv, \.jsonl"):
        answer_tables.require_ending(tmp_path / "a.xlsx")
    assert answer_tables.columns_of(tmp_path / "a.xlsx") == set()
    (tmp_path / "b.jsonl").write_text("no json")
    assert answer_tables.columns_of(tmp_path / "b.jsonl") == set()
