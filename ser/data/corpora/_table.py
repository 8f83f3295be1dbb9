"""Read a CSV table whose bytes, rows or header may be wrong, and say where they are."""

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ser.errors import CorpusError
from ser.wording import cut, shown

_Value = TypeVar("_Value")

#: Some million rows; a table is in memory as a whole.
_MAX_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class TableRow:
    """One readable row.

    Args:
        line: Number of its last line in the file, from 1.
        fields: Wanted column -> text without surrounding blanks; columns that the table
            does not have are left out.
    """

    line: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be read.

    Args:
        line: Number of its last line in the file, from 1.
        reason: What is wrong.
    """

    line: int
    reason: str


def read(
    path: Path,
    *,
    names: Mapping[str, str],
    required: Collection[str],
    encoding: str = "utf-8-sig",
    delimiter: str = ",",
    check: Callable[[Path, Sequence[str]], None] | None = None,
) -> Iterator[TableRow | BadRow]:
    """Yield the rows of a table with a header.

    Args:
        path: The table.
        names: Wanted column -> its name in the header.
        required: The wanted columns that must be there.
        encoding: Of the file.
        delimiter: Between fields.
        check: Called with the file and its header, to refuse it.

    Yields:
        Each row, or why it cannot be read: another number of fields than the header, or
        bytes that are not of the encoding. Empty lines are passed over. Letters with marks
        are composed (NFC), but for those of a `path`: the disk may spell them apart.

    Raises:
        CorpusError: The file cannot be opened, is of another encoding or no CSV, or its
            header lacks a required column or has a wanted one twice.
    """
    reader = csv.reader(_text(path, encoding), delimiter=delimiter, strict=True)
    first = 1  # line of the row that is read
    try:
        header = [composed(name.strip()) for name in next(reader, [])]
        names = {column: composed(name) for column, name in names.items()}
        positions = _positions(path, header, names, required)
        if check is not None:
            check(path, [_shown(name) for name in header])
        first = reader.line_num + 1
        for cells in reader:
            if cells:
                yield _row(cells, reader.line_num, positions, num_columns=len(header))
            first = reader.line_num + 1
    except csv.Error as error:
        # An open quote takes in all that follows: the reader complains at the end of it.
        raise CorpusError(
            f"{path}:{first}: not a CSV table: {error}; look for a quote in this row that is not "
            "closed, or not doubled inside quotes"
        ) from error


def _text(path: Path, encoding: str) -> io.StringIO:
    """Return the table's text; bytes that are not of its encoding stay as surrogates."""
    try:
        if (num_bytes := path.stat().st_size) > _MAX_BYTES:
            raise CorpusError(
                f"{path}: too large: {num_bytes} bytes; a table of at most {_MAX_BYTES} is read, "
                f"leave out columns or give it in parts"
            )
        text = path.read_bytes().decode(encoding, "surrogateescape")
    except (OSError, UnicodeError) as error:
        raise CorpusError(f"{path}: cannot be read as {encoding} text: {error}") from error
    return io.StringIO(text, newline="")


def _positions(
    path: Path, header: Sequence[str], names: Mapping[str, str], required: Collection[str]
) -> dict[str, int]:
    """Return wanted column -> its position in the header."""
    missing = [name for column, name in names.items() if column in required and name not in header]
    twice = sorted({name for name in header if name in names.values() and header.count(name) > 1})
    if missing or twice:
        problem = f"no column {', '.join(missing)}" if missing else f"{', '.join(twice)} twice"
        raise CorpusError(
            f"{path}:1: {problem}; the columns are {cut(', '.join(map(_shown, header)), 1000)}"
        )
    return {column: header.index(name) for column, name in names.items() if name in header}


def _row(
    cells: Sequence[str], line: int, positions: Mapping[str, int], *, num_columns: int
) -> TableRow | BadRow:
    if len(cells) != num_columns:
        return BadRow(line, f"{len(cells)} fields, expected {num_columns} as in the header")
    texts = {column: cells[index].strip() for column, index in positions.items()}
    fields = {name: text if name == "path" else composed(text) for name, text in texts.items()}
    for column, value in fields.items():
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            return BadRow(line, f"{column} is not of the table's encoding: {_shown(value)}")
    return TableRow(line, fields)


def composed(text: str) -> str:
    r"""Return text with every letter and its marks as one character, where there is one (NFC).

    Example:
        >>> composed("Jo\u0308rg") == "J\u00f6rg"
        True
    """
    return unicodedata.normalize("NFC", text)


def composed_keys(by_name: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return a mapping with its names composed; see `composed`.

    Raises:
        ValueError: Two names differ in their spelling alone.
    """
    composed_names = Counter(map(composed, by_name))
    if twice := [name for name, count in composed_names.items() if count > 1]:
        raise ValueError(f"{', '.join(map(shown, twice))} stands twice, composed and decomposed")
    return {composed(name): value for name, value in by_name.items()}


def _shown(text: str) -> str:
    r"""Return text fit for a message: the byte 0xfc, say, as \udcfc."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
