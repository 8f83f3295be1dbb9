"""Scripts that stand in decision pages still run."""

import pytest

from tests.docs import markdown


def test_the_trainers_script_measures_both_ways(project, capsys):
    (script,) = (
        block
        for block in markdown.blocks(project / "docs" / "decisions" / "0005-own-trainer.md")
        if block.language == "python"
    )
    small = script.text.replace("32, 200, 39, 15", "2, 5, 39, 1")
    assert small != script.text
    exec(compile(small, "trainer_speed.py", "exec"), {})  # noqa: S102
    plain, accelerate = capsys.readouterr().out.splitlines()
    assert plain.startswith("plain: ")
    assert plain.endswith("ms a step, 1.00")
    assert accelerate.startswith("accelerate: ")


def test_every_decision_is_listed_and_has_the_same_parts(project):
    folder = project / "docs" / "decisions"
    listed = markdown.links(folder / "README.md")
    pages = sorted(path for path in folder.glob("0*.md"))
    assert [path.name for path in pages] == [link for link in listed if link.startswith("0")]
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {page.name[:4]} ")
        if page.name != "0006-dependencies.md":  # a list
            for part in ("## Context", "## Choice", "## Consequences"):
                assert part in text, (page.name, part)


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
