"""Tables on disk: CSV for people, Parquet for numbers; read with one error, replaced whole."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ser.errors import FileError
from ser.files import REPRO, replacing


def read_csv(path: Path, *, cure: str = REPRO) -> pd.DataFrame:
    """Return the table in a CSV file.

    Args:
        path: The file.
        cure: What brings a missing or damaged file back, for the message.

    Raises:
        FileError: It is missing, or is no CSV.
    """
    return _read(path, pd.read_csv, "CSV", cure)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Replace a CSV file; numbers have six digits after the point."""
    with replacing(path) as part:
        table.to_csv(part, index=False, float_format="%.6f", lineterminator="\n")


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
    try:
        return reader(path)
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file; {cure}") from error
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise FileError(f"{path}: it is no {kind} ({error}); {cure}") from error
