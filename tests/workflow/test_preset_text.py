"""Sections and entries of a preset as they are written."""

import pytest
import yaml

from ser.errors import FileError
from ser.params import load_mapping
from ser.workflow import new_preset
from ser.workflow.preset_text import PresetText


@pytest.fixture(scope="module", params=new_preset.SOURCES)
def text(request, project):
    return PresetText(project / "configs" / f"{request.param}.yaml")


def test_the_lines_of_every_section_mean_what_the_file_means(text):
    for name, value in load_mapping(text.path).items():
        assert yaml.safe_load(text.section(name)) == {name: value}


def test_the_lines_of_every_entry_mean_what_the_file_means(text):
    for section in ("features", "models", "losses", "recipes", "extracted", "cells"):
        for name, value in load_mapping(text.path)[section].items():
            assert yaml.safe_load(text.entry(section, name)) == {name: value}


def test_comments_belong_to_what_is_below_them(project):
    text = PresetText(project / "configs" / "emodb-7.yaml")
    assert text.entry("features", "whisper").startswith("  # Another Whisper is two lines")
    assert text.entry("features", "logmel").startswith("  logmel:\n    copies: [clean, speed_0.9")
    assert text.section("launcher").startswith("launcher:")
    own = PresetText(project / "configs" / "ravdess.yaml")
    assert own.section("corpus").startswith("# Two statements")
    assert own.section("synthetic_weights") == "synthetic_weights: {}"


def test_the_line_of_a_section_keeps_its_comment(project):
    text = PresetText(project / "configs" / "emodb.yaml")
    assert text.first_line("extracted").endswith(
        "# feature -> folder of data/weights that DVC watches"
    )


def test_what_is_not_there_is_an_error(text):
    for section, name in (("losses", "none"), ("none", "focal")):
        with pytest.raises(KeyError):
            text.entry(section, name)
    with pytest.raises(KeyError):
        text.section("none")


def test_a_file_that_is_not_there_is_named_with_the_cure(tmp_path):
    with pytest.raises(FileError, match="run it in the project's root"):
        PresetText(tmp_path / "emodb-7.yaml")
