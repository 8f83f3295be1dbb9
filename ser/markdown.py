"""Texts of users inside Markdown: shown as they are, never read as markup."""

import re

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_HTML = re.compile(r"[&<>]")


def plain(text: object) -> str:
    r"""Return a text for a paragraph or a cell of a table in Markdown.

    Returns:
        One line; neither HTML, links, emphasis, code nor the end of a cell can come of it.

    Example:
        >>> plain("<b>|*me*\n@you")
        '&lt;b&gt;\\|\\*me\\* @you'
    """
    line = " ".join(str(text).split())
    return _MARKUP.sub(r"\\\1", _HTML.sub(lambda found: _ENTITIES[found[0]], line))


def code(text: object) -> str:
    """Return a text for a place between two backticks, where nothing else is markup.

    Example:
        >>> code("a`b")
        "a'b"
    """
    return " ".join(str(text).split()).replace("`", "'")
