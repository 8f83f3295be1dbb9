"""Tables on disk: CSV for people, Parquet for numbers; read with one error, replaced whole."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ser.errors import FileError, translating
from ser.files import REPRO, replacing
from ser.wording import cut

#: How a formula begins, in letters of full width too; apostrophes before it may be ours.
_FORMULA = re.compile("'*[=+\\-@\\t\\uff1d\\uff0b\\uff0d\\uff20]")
_MAX_REASON = 400
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def read_csv(path: Path, *, cure: str = REPRO) -> pd.DataFrame:
    """Return the table in a CSV file.

    Args:
        path: The file.
        cure: What brings a missing or damaged file back, for the message.

    Raises:
        FileError: It is missing, or is no CSV.
    """
    return _in_texts(_read(path, pd.read_csv, "CSV", cure), _unguarded)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Replace a CSV file; numbers have six digits after the point.

    A spreadsheet runs a cell that begins like a formula. So an apostrophe is put before such
    texts, and before those that begin with apostrophes and then so; `read_csv` takes it away.
    Line ends within a text become spaces.
    """
    with replacing(path) as part:
        _in_texts(table, guarded).to_csv(
            part, index=False, float_format="%.6f", lineterminator="\n"
        )


def guarded(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula.

    Example:
        >>> guarded("=cmd|' /C calc'!A0"), guarded("-6 dB"), guarded("-6"), guarded("a")
        ("'=cmd|' /C calc'!A0", "'-6 dB", '-6', 'a')
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    line = re.sub(r"[\r\n]+", " ", value)
    return f"'{line}" if _FORMULA.match(line) else line


def _unguarded(value: object) -> object:
    if isinstance(value, str) and value.startswith("'") and _FORMULA.match(value):
        return value[1:]
    return value


def _in_texts(table: pd.DataFrame, change: Callable[[object], object]) -> pd.DataFrame:
    """Return a table with its texts changed, those of its header too."""
    changed = table.rename(columns=change)
    for column in changed.select_dtypes(include=["object", "string"]).columns:
        changed[column] = changed[column].map(change)
    return changed


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Replace a Parquet file; the same table gives the same bytes."""
    with replacing(path) as part:
        table.to_parquet(part, index=False, compression="zstd")


def read_parquet(path: Path, *, cure: str = REPRO) -> pd.DataFrame:
    """Return the table in a Parquet file.

    Args:
        path: The file.
        cure: What brings a missing or damaged file back, for the message.

    Raises:
        FileError: It is missing, or is no Parquet.
    """
    return _read(path, pd.read_parquet, "Parquet", cure)


def _read(path: Path, reader: Callable[[Path], pd.DataFrame], kind: str, cure: str) -> pd.DataFrame:
    if not path.exists():
        raise FileError(f"{path}: no such file; {cure}")

    def say(error: Exception) -> FileError:
        return FileError(f"{path}: it is no {kind} ({cut(str(error), _MAX_REASON)}); {cure}")

    with translating(say):
        return reader(path)
