"""The tables of docs/architecture.md say what import-linter and DVC are told."""

import re
import tomllib

import pytest
import yaml

from ser.data.corpora import demo
from ser.registry.gate_params import GateParams
from ser.serving.audio_input import InputLimits


@pytest.fixture(scope="module")
def page(project):
    return (project / "docs" / "architecture.md").read_text("utf-8")


@pytest.fixture(scope="module")
def linter(project):
    return tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]


def rows(page, heading):
    """The first cells of the table below a heading."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return [re.findall(r"`([^`]+)`", cell) for cell in table if cell.startswith("`")]


def test_the_layers_are_those_that_lint_enforces(page, linter):
    (layered,) = (c for c in linter["contracts"] if c["type"] == "layers")
    told = [set(names) for names in rows(page, "Layers") if names[0].startswith("ser.")]
    assert told == [{f"ser.{module}" for module in line.split(" | ")} for line in layered["layers"]]


def test_the_three_libraries_are_allowed_where_lint_allows_them(page, linter):
    section = page.partition("\n## Layers\n")[2].partition("\n## ")[0]
    for contract in linter["contracts"]:
        if contract["type"] == "only_in":
            row = re.search(rf"^\| `{contract['library']}` \| (.*) \|$", section, re.MULTILINE)
            assert re.findall(r"`([^`]+)`", row[1]) == contract["allowed"]


def test_the_stages_are_those_of_the_pipeline_with_their_params(page, project):
    stages = yaml.safe_load((project / "dvc.yaml").read_text("utf-8"))["stages"]
    assert {names[0].partition("@")[0] for names in rows(page, "Stages")} == set(stages)
    section = page.partition("\n## Stages\n")[2].partition("\n## ")[0]
    for name, stage in stages.items():
        (row,) = re.findall(rf"^\| `{name}(?:@.*?)?` \|.*$", section, re.MULTILINE)
        params = [p for p in stage.get("do", stage).get("params", ()) if isinstance(p, str)]
        for param in params if name not in ("untuned", "without_copies") else ():
            assert f"`{param.partition('.')[0]}" in row, (name, param)


def test_the_defaults_that_other_pages_repeat_are_those_of_the_classes(project):
    pages = {
        "registry.md": GateParams,
        "serving.md": InputLimits,
        "corpora/demo.md": demo.Params,
    }
    for name, params in pages.items():
        text = (project / "docs" / name).read_text("utf-8")
        defaults = params().model_dump()
        told = re.findall(r"`(\w+): ([\w.]+)`", text) if params is GateParams else []
        told += re.findall(r"^\| `(\w+)` \| (-?[\d.]+) \|", text, re.MULTILINE)
        told = [(key, yaml.safe_load(value)) for key, value in told if key in defaults]
        assert len(told) > 3
        assert {key: defaults[key] for key, _ in told} == dict(told)
