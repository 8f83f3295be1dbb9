"""The walks repeat what the README's table and a preset's first lines say."""

import re

from tests.docs import markdown


def test_the_best_cell_of_the_tutorial_is_the_first_of_the_table(project):
    table = (project / "README.md").read_text("utf-8").partition("<!-- results:emodb-4 -->")[2]
    model, loss, uar, low, high = re.search(
        r"^\| (\w+) \| (\w+) \| ([\d.]+) \(([\d.]+) to ([\d.]+)\)", table, re.MULTILINE
    ).groups()
    told = " ".join((project / "docs" / "tutorial.md").read_text("utf-8").split())
    assert f"*{model} with {loss}* has the highest UAR, {uar} %. " in told
    assert f"95 % interval, {low} to {high}, is over speakers" in told


def test_the_walk_to_iemocap_has_the_commands_of_the_preset(project):
    head = (project / "configs" / "iemocap.yaml").read_text("utf-8").partition("\nlauncher:")[0]
    needed = re.findall(r"^# +(\.venv/bin/ser .*)$", head, re.MULTILINE)
    page = project / "docs" / "corpora" / "iemocap.md"
    shown = [" ".join(command.split()) for command in markdown.commands(page)]
    assert len(needed) == 3
    assert [command for command in needed if command not in shown] == []
