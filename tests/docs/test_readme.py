"""The README's map of files and its message are those of the project."""

import re

import pytest

from ser.errors import ParamsError
from ser.params import load_mapping, parse
from ser.workflow.new_preset import SIGNATURE
from ser.workflow.preset import Preset
from tests.docs import markdown


@pytest.fixture(scope="module")
def blocks(project):
    return [block.text for block in markdown.blocks(project / "README.md") if not block.language]


def test_the_map_names_what_is_there_or_made(blocks, project):
    (tree,) = (text for text in blocks if text.startswith("params.yaml  "))
    entries = dict(re.findall(r"^(\S+) +(.*)$", tree, re.MULTILINE))
    there = {name for name in entries if (project / name).exists()}
    made = {name for name, comment in entries.items() if comment.startswith("made: ")}
    assert set(entries) == there | made
    ignored = {"docs", "LICENSE", "Makefile"}
    folders = {path.name for path in project.iterdir() if (path / "__init__.py").exists()}
    assert folders - ignored <= {name.rstrip("/") for name in entries}


def test_the_presets_are_all_named(project):
    section = (project / "README.md").read_text("utf-8").partition("## Presets")[2]
    table = section.partition("| preset |")[2].partition("\n\n")[0]
    files = (project / "configs").glob("*.yaml")
    # A preset of one's own need not be on the page.
    presets = {path.stem for path in files if SIGNATURE not in path.read_text("utf-8")}
    assert set(re.findall(r"`([\w-]+)`", table)) == presets


def test_wrong_settings_are_refused_with_the_words_of_the_page(blocks, project):
    (shown,) = (text for text in blocks if text.startswith("params.yaml is wrong in:"))
    content = load_mapping(project / "configs" / "demo.yaml")
    content["features"]["mfcc"]["hop_ms"] = -1
    content["models"]["lstm"]["pooling"] = "max"
    with pytest.raises(ParamsError) as refused:
        parse(content, Preset, where="params.yaml")
    assert str(refused.value) == shown.strip()


def test_the_picture_is_small_and_its_caption_says_what_is_random(project):
    picture = project / "docs" / "images" / "report.png"
    assert picture.stat().st_size < 300_000
    text = (project / "README.md").read_text("utf-8")
    caption = text.partition("report.png")[2][:400]
    assert "real speech (EmoDB)" in caption
    assert "tiny **random\nweights**" in caption


def test_the_clone_does_not_hide_the_package(project):
    """A folder `ser` is what `import ser` finds from the folder that it lies in."""
    pages = [project / "README.md", *(project / "docs").rglob("*.md")]
    clones = [line for page in pages for line in markdown.commands(page) if "<this rep" in line]
    assert {line.split()[-1] for line in clones} == {"speech-emotion"}
