"""What the tests of the pages read from them: blocks of code, prose, links."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `title` is the file that it is, empty where it is none."""

    language: str
    title: str
    text: str


def pages(root: Path) -> list[Path]:
    """The Markdown pages of the project."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    return blocks_of(page.read_text("utf-8"))


def blocks_of(text: str) -> list[Block]:
    return [Block(*match.groups("")) for match in _FENCE.finditer(text)]


def titled(page: Path) -> Mapping[str, Block]:
    """The blocks that are files, by title; the same title may stand several times in a page."""
    found: dict[str, Block] = {}
    for block in blocks(page):
        if block.title:
            number = sum(key.split("#")[0] == block.title for key in found)
            found[f"{block.title}#{number}" if number else block.title] = block
    return found


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Number and text of lines that are no code, table or heading, nor written by a command."""
    is_code = is_written = False
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        is_written = (
            is_written or line.startswith("<!-- results:")
        ) and line != "<!-- /results -->"
        fence = line.lstrip().startswith("```")
        is_code = is_code != fence
        is_table = line.lstrip().startswith(("|", "#", "<!--")) or line.startswith("    ")
        if not (is_code or fence or is_written or is_table):
            yield number, line


def commands(page: Path) -> Iterator[str]:
    """The lines of shell that a page shows, continued lines joined, comments left out."""
    for block in blocks(page):
        if block.language in ("sh", "bash"):
            for line in block.text.replace("\\\n", " ").splitlines():
                command = re.sub(r"(^|\s)#.*$", "", line).strip()
                if command:
                    yield command


def inline(page: Path) -> list[str]:
    """The pieces of code between single backticks, outside blocks."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return [piece.replace("\n", " ") for piece in re.findall(r"`([^`]+)`", text)]


def links(page: Path) -> list[str]:
    """Where a page's links lead, those to other sites left out."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return [link for link in _LINK.findall(text) if not link.startswith(("http", "mailto:"))]
