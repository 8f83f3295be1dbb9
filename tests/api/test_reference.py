"""The reference is that of the docstrings."""

from dataclasses import dataclass

import ser
from ser.api import reference


def test_the_page_is_what_the_docstrings_say(project):
    page = (project / "docs" / "api-reference.md").read_text("utf-8")
    assert page == reference.text(), "run `ser api-page`"


def test_every_public_name_has_its_heading_and_every_method_its_own():
    page = reference.text()
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        f"## ser.{name}" for name in ser.__all__
    ]
    assert "### Recogniser.predict\n" in page
    assert (
        "| `sampling_rate` | Of samples that are not in a pair, in Hz; None for all else. |" in page
    )


def shorten(text: str | None = None, *, width: "int" = 3) -> "str":
    """Make a text short.

    Args:
        text: Any | none.
        width: In
            letters.

    Returns:
        The short one.

    Raises:
        ValueError: Too short.
    """


def test_a_function_is_told_with_its_types_defaults_and_sections():
    assert list(reference._described("shorten", shorten)) == [
        "```text\nshorten(text: str | None = None, *, width: 'int' = 3) -> str\n```",
        "Make a text short.",
        "| argument | meaning |\n|---|---|\n| `text` | Any \\| none. |\n| `width` | In letters. |",
        "**Returns.** The short one.",
        "| error | meaning |\n|---|---|\n| `ValueError` | Too short. |",
    ]


@dataclass
class Pair:
    """Two.

    Args:
        left, right: Of them.
    """

    left: int
    right: int

    @property
    def both(self):
        """The sum."""


def test_a_record_is_told_with_its_fields_and_properties():
    assert list(reference._described("Pair", Pair)) == [
        "Two.",
        "| field | meaning |\n|---|---|\n| `left, right` | Of them. |",
    ]
    assert list(reference._members("Pair", Pair)) == [
        "| property | meaning |\n|---|---|\n| `both` | The sum. |"
    ]
