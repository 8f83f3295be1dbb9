import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from ser import components
from ser.params import Section, Tunable
from ser.workflow import params_page
from ser.workflow.preset import Preset


class Inner(Section):
    """Inner.

    Args:
        depth: How deep.
    """

    depth: int = Field(1, ge=1)


class Outer(Section):
    """Outer.

    Args:
        rate: How fast, in
            two lines | and with a bar.
        low, high: Ends.
        kind: Which.
        inner: Nested.
        by_name: Nested, by name.
        word: One of these.
    """

    rate: Annotated[float, Tunable(0.1, 1.0, log=True, published=0.5)] = Field(0.2, gt=0.0)
    low: int | None = None
    high: tuple[str, ...] = ("a", "b")
    kind: "str" = Field(min_length=1)
    inner: Inner = Inner()
    by_name: dict[str, Inner] = Field(default_factory=dict)
    word: Literal["auto", True, False] = "auto"


def blocks(text):
    """A page cut before every heading, so that a block says what it is about."""
    return re.split(r"\n\n(?=\*\*`|## )", text.strip())


def test_the_page_in_docs_is_the_one_that_the_classes_write(project):
    # A component that was added is not on it before `ser params-page` has run.
    page = blocks((project / "docs" / "params.md").read_text(encoding="utf-8"))
    written = blocks(params_page.text())
    assert [block for block in written if block in page] == page, "run `.venv/bin/ser params-page`"


def test_every_section_is_on_the_page_in_docs(project):
    page = (project / "docs" / "params.md").read_text(encoding="utf-8")
    assert [s for s in Preset.model_fields if f"| `{s}` |" not in page] == []
    sections = set(Preset.model_fields) - {"launcher", "synthetic_corpora"}
    assert [s for s in sections if f"\n## {s}\n" not in page] == []


def test_every_component_is_on_the_page():
    page = params_page.text()
    for section, family in params_page.FAMILIES.items():
        for name in components.names(family):
            place = f"corpus: {{name: {name}}}" if section == "corpus" else f"{section}.{name}"
            assert f"**`{place}`**" in page


def test_a_row_says_default_bounds_meaning_and_what_tuning_searches():
    assert (
        "| `rate` | `0.2` | number, above 0 | How fast, in two lines \\| and with a bar. "
        "*Tuning searches 0.1 to 1, on a logarithmic scale; the published study has 0.5.* |"
    ) in params_page.table(Outer)


def test_names_that_share_a_meaning_and_values_of_any_kind_are_written_as_in_yaml():
    rows = params_page.table(Outer).splitlines()
    assert "| `low` | `null` | whole number or `null` | Ends. |" in rows
    assert "| `high` | `[a, b]` | list: text | Ends. |" in rows
    assert "| `kind` | *required* | text | Which. |" in rows
    assert "| `by_name` | `{}` | mapping | Nested, by name. |" in rows
    assert "| `word` | `auto` | `auto`, `true`, `false` | One of these. |" in rows


def test_a_field_without_a_meaning_is_an_error():
    class Silent(Section):
        """Says nothing."""

        speed: int = 1

    with pytest.raises(KeyError, match="speed"):
        params_page.table(Silent)


def test_other_pages_leave_the_tables_of_params_to_this_one(project):
    pages = (project / "docs").glob("*.md")
    tables = {
        page.name for page in pages if re.search(r"^\| key \| default \|", page.read_text(), re.M)
    }
    assert tables == {"params.md"}
