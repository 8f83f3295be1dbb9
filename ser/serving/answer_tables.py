"""A table of answers in the kind of file that its ending names: Parquet, CSV or JSON Lines."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ser import files, tables
from ser.errors import FileError, SerError

#: Columns that hold JSON; a file of JSON holds what it says.
NESTED = ("windows", "segments")


def require_ending(path: Path) -> None:
    """Refuse a file whose ending names no kind of table.

    Raises:
        FileError: Names the file and the endings that there are.
    """
    if path.suffix.lower() not in _WRITERS:
        raise FileError(
            f"{path}: its ending names no kind of table; name it {', '.join(_WRITERS)}, e.g. "
            f"{path.with_suffix('.parquet')}"
        )


def write(path: Path, table: pd.DataFrame) -> None:
    """Replace a file by a table, as its ending says; see `require_ending`.

    In CSV, numbers have six digits after the point and no cell is taken for a formula
    (`ser.tables.write_csv`); in JSON Lines what is missing is null, and windows and segments are
    lists.
    """
    require_ending(path)
    _WRITERS[path.suffix.lower()](path, table)


def columns_of(path: Path) -> set[str]:
    """Return the columns of a table that was written here; none of anything else."""
    try:
        return set(_READERS[path.suffix.lower()](path))
    except (KeyError, SerError):
        return set()


def _write_json_lines(path: Path, table: pd.DataFrame) -> None:
    with files.replacing(path) as part, part.open("w", encoding="utf-8") as file:
        for row in table.to_dict("records"):
            values = {str(name): _json_value(str(name), value) for name, value in row.items()}
            file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def _json_value(name: str, value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return json.loads(value) if name in NESTED else value


def _json_keys(path: Path) -> list[str]:
    first = files.read_text(path, cure="").partition("\n")[0]
    try:
        found = json.loads(first)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []


_WRITERS: Mapping[str, Callable[[Path, pd.DataFrame], None]] = {
    ".parquet": tables.write_parquet,
    ".csv": tables.write_csv,
    ".jsonl": _write_json_lines,
}
_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".parquet": lambda path: tables.read_parquet(path, cure="").columns,
    ".csv": lambda path: tables.read_csv(path, cure="").columns,
    ".jsonl": _json_keys,
}
