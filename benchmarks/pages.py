"""Tables that a benchmark writes into a page of the documentation."""

from pathlib import Path

from ser import files
from ser.errors import FileError


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
