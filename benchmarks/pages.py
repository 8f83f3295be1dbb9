"""Tables that a benchmark prints, and writes into a page of the documentation."""

import argparse
from pathlib import Path

from ser import files
from ser.errors import FileError, ParamsError


def add_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """Add the options that say where what was measured goes: --out, --show and --into.

    Args:
        parser: Of the program.
        out: Where it goes unless --out names another file.
    """
    parser.add_argument("--out", type=Path, default=out, help="what was measured")
    parser.add_argument("--show", action="store_true", help="measure nothing, print --out's table")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="also write the table there")


def publish(table: str, into: Path | None, marks: tuple[str, str], *, is_quick: bool) -> None:
    """Print a table, and write it into a page where one is named.

    Args:
        table: Markdown.
        into: The page, from --into.
        marks: Above and below the table in it.
        is_quick: Whether it holds numbers that say nothing.

    Raises:
        ParamsError: A quick look is no table for a page.
        FileError: See `write_between`.
    """
    print(table)
    if into is None:
        return
    if is_quick:
        raise ParamsError("a quick look measures nothing; leave out --into, or --quick")
    write_between(into, *marks, table)


def write_between(page: Path, begin: str, end: str, content: str) -> None:
    """Replace what stands between two marks of a page.

    Args:
        page: A Markdown page.
        begin: The mark above it.
        end: The mark below it.
        content: Without the marks.

    Raises:
        FileError: The page is missing, or has no such marks in this order.
    """
    text = files.read_text(page, cure="name a page that has the marks of this program")
    before, found, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    if not found or not closing:
        raise FileError(f"{page}: has no marks {begin} and {end} to write between")
    files.write_text(page, f"{before}{begin}\n{content}\n{end}{after}")
